"""A schedule as a file: the one that a run leaves beside its adapter, and one that the user hands to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io
from sage_select.display import counted
from sage_select.errors import DataError, UsageError, nearest
from sage_select.paths import user_path
from sage_select.train.config import TrainConfig
from sage_select.train.packing import Layout
from sage_select.train.schedule import NO_PHASE, Schedule
from sage_select.train.selection import CORE

if TYPE_CHECKING:
    from sage_select.train.data import TrainingRows
    from sage_select.train.selection import OrderedRows

__all__ = ["SCHEMA", "read_schedule", "within_row", "write_schedule"]

#: The columns of a schedule, one row for each time that an example is consumed.
SCHEMA: Final = pa.schema(
    [
        pa.field("step", pa.int64(), nullable=False),
        pa.field("slot", pa.int32(), nullable=False),
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("example", pa.int32(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("parent_id", pa.string()),
        pa.field("task", pa.string()),
        pa.field("phase", pa.int32()),
        pa.field("weight", pa.float32(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("bin", pa.int32(), nullable=False),
    ]
)
#: Rows of a batch in a file.
_BATCH: Final = 65536
#: No weight, step or slot is larger.
_LARGEST: Final = 2.0**31 - 1
#: Rows named in a message.
_NAMED: Final = 5


def write_schedule(path: Path, schedule: Schedule, layout: Layout, rows: TrainingRows, seed: int) -> None:
    """Write a schedule as an Arrow file, the same bytes for the same run.

    Parameters
    ----------
    layout
        Gives each row its `bin`, the sequence that it lies in.
    seed
        That of the run, from which the random numbers of all its steps follow.
    """
    ids, examples = pa.array(rows.row_ids, pa.string()), pa.array(within_row(rows.row_ids))
    steps = schedule.step_of
    slots = np.arange(len(steps)) - schedule.starts[steps]
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        for start in range(0, len(steps), _BATCH):
            part = slice(start, start + _BATCH)
            taken = pa.array(schedule.places[part])
            phases = schedule.phases[part]
            columns = [
                pa.array(steps[part] + 1),
                pa.array(slots[part].astype(np.int32)),
                ids.take(taken),
                examples.take(taken),
                *(_whole(texts[part]) for texts in (schedule.origins, schedule.parents, schedule.tasks)),
                pa.array(phases, mask=phases == NO_PHASE),
                pa.array(schedule.weights[part]),
                pa.array(np.full(len(taken), seed, np.int64)),
                pa.array(layout.sequences[part]),
            ]
            writer.write_batch(pa.record_batch(columns, schema=SCHEMA))


def read_schedule(
    path: Path, rows: TrainingRows, selection: OrderedRows, config: TrainConfig, notice: Callable[[str], None]
) -> Schedule:
    """Return the schedule in a file: any table that can be read, with a column `row_id` and perhaps others.

    Its rows are consumed in the order of `step` and `slot`; without a slot as they lie in the file; without a step as
    many in each as batch size and accumulation say. A row is consumed with all of its examples, but where `example`
    says which. `weight`, `phase`, `origin`, `parent_id` and `task` win over those of the selection; `seed` has to be
    that of the run, and `bin` is made anew.

    Parameters
    ----------
    rows, selection
        What may be trained, and the selection that it is of.
    notice
        Told of rows that the schedule leaves out, or that have nothing to train.

    Raises
    ------
    UsageError
        If there is no such file, or a column is missing or unknown.
    DataError
        If it names rows that the selection does not have, or a value cannot be.
    """
    table = io.read(str(user_path(path)))
    given = _Given(table, _columns(table))
    ids = given.texts("row_id")
    step, slot = given.whole("step", least=1), given.whole("slot", least=0)
    seeds = given.whole("seed", least=0)
    if seeds is not None and (wrong := np.flatnonzero(seeds != config.seed)).size:
        raise DataError(
            "the schedule was made for another seed",
            where=table.where(int(wrong[0]), "seed"),
            expected=str(config.seed),
            got=str(seeds[wrong[0]]),
            hint="name that one with --seed, or leave the column out",
        )
    entry, place = _examples(table, ids, given.whole("example", least=0), rows, selection, notice)
    if not len(entry):
        raise DataError("no row of the schedule has anything to train", where=str(path))
    per_step = config.batch_size * config.gradient_accumulation
    # Entries of rows without anything to train are not there any more.
    if step is None:
        number = np.arange(len(entry)) // per_step
    else:
        _refuse_gaps(table, step)
        order = np.lexsort((np.arange(len(entry)), *(() if slot is None else (slot[entry],)), step[entry]))
        if slot is not None:
            _refuse_twice(table, step, slot)
        entry, place = entry[order], place[order]
        number = step[entry]
    begins = np.flatnonzero(np.r_[True, number[1:] != number[:-1]])
    if step is not None and len(begins) < step.max():
        left_out = counted(int(step.max()) - len(begins), "step")
        notice(f"left out, since they would train nothing: {left_out} of the schedule")
    weights = given.numbers("weight")
    phases = given.whole("phase", least=0, missing=NO_PHASE)
    facts, taken = rows.facts, pa.array(place)
    origins, parents, tasks = (
        facts[name].take(taken) if (own := given.column(name)) is None else own.take(pa.array(entry))
        for name in ("origin", "parent_id", "task")
    )
    return Schedule(
        starts=np.r_[begins, len(place)].astype(np.int64),
        places=place,
        weights=(rows.table["weight"].to_numpy()[place] if weights is None else weights[entry]).astype(np.float32),
        phases=(facts["phase"].fill_null(NO_PHASE).to_numpy()[place] if phases is None else phases[entry]).astype(
            np.int32
        ),
        origins=pa.chunked_array([_whole(origins).fill_null(CORE)]),
        parents=pa.chunked_array([_whole(parents)]),
        tasks=pa.chunked_array([_whole(tasks)]),
        examples=len(rows.row_ids),
    )


@dataclass(frozen=True)
class _Given:
    """The columns of a schedule that the user gave: name -> the column's own name in the file."""

    rows: io.Rows
    names: dict[str, str]

    def column(self, name: str) -> pa.ChunkedArray | None:
        """Return a column as text, None where it is not there."""
        if name not in self.names:
            return None
        own = self.names[name]
        column = self.rows.table[own]
        if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type) or pa.types.is_null(column.type)):
            raise DataError("a column is not one of text", where=self.rows.where(0, own), got=str(column.type))
        return column.cast(pa.string())

    def texts(self, name: str) -> list[str]:
        """Return a column of ids."""
        column = io.require_column(self.rows, self.names[name])
        if column.null_count:
            row = pc.index(column.is_null(), True).as_py()
            raise DataError("an id is missing", where=self.rows.where(row, self.names[name]))
        return [str(value) for value in column.to_pylist()]

    def numbers(self, name: str, *, least: float = 0, missing: int | None = None) -> NDArray[np.float64] | None:
        """Return a column of numbers that are at least so large; of one without values nothing.

        `missing` stands for empty values, which are refused otherwise.
        """
        if name not in self.names:
            return None
        own = self.names[name]
        column = self.rows.table[own]
        if column.null_count == len(column):
            return None
        rows = self.rows
        if missing is not None and column.null_count:
            filled = pc.fill_null(column, pa.scalar(missing).cast(column.type))
            rows = replace(rows, table=rows.table.set_column(rows.table.column_names.index(own), own, filled))
        values = io.numeric_column(rows, own)
        if (high := np.flatnonzero(np.abs(values) > _LARGEST)).size:
            raise DataError("a number is too large", where=rows.where(int(high[0]), own), got=f"{values[high[0]]:g}")
        if (low := np.flatnonzero((values < least) & (values != missing))).size:
            raise DataError(
                f"a number is below {least:g}", where=self.rows.where(int(low[0]), own), got=f"{values[low[0]]:g}"
            )
        return values

    def whole(self, name: str, *, least: int, missing: int | None = None) -> NDArray[np.int64] | None:
        """Return a column of whole numbers that are at least so large."""
        values = self.numbers(name, least=least, missing=missing)
        if values is None:
            return None
        if (broken := np.flatnonzero(values != np.floor(values))).size:
            where = self.rows.where(int(broken[0]), self.names[name])
            raise DataError("a number is not whole", where=where, got=f"{values[broken[0]]:g}")
        return values.astype(np.int64)


def _columns(rows: io.Rows) -> dict[str, str]:
    """Return the names of the columns as a schedule has them -> as the file has them."""
    known = {**{name: name for name in SCHEMA.names}, "sage_row_id": "row_id", "sage_weight": "weight"}
    names: dict[str, str] = {}
    for name in rows.table.column_names:
        if name not in known:
            raise UsageError(
                f"a schedule has no column {name!r}",
                where=rows.source,
                expected=", ".join(SCHEMA.names),
                hint=nearest(name, SCHEMA.names),
            )
        if known[name] in names:
            raise UsageError(
                f"two columns say the {known[name]}", where=rows.source, got=f"{names[known[name]]}, {name}"
            )
        names[known[name]] = name
    if "row_id" not in names:
        raise UsageError(
            "a schedule names the rows by their ids",
            where=rows.source,
            expected="a column row_id",
            got=", ".join(names),
        )
    if "slot" in names and "step" not in names:
        raise UsageError(
            "a slot is a place in a step", where=rows.source, expected="a column step", got=", ".join(names)
        )
    return names


def _examples(
    table: io.Rows,
    ids: list[str],
    example: NDArray[np.int64] | None,
    rows: TrainingRows,
    selection: OrderedRows,
    notice: Callable[[str], None],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of the examples to consume, and the row of the file that each is of."""
    all_ids = selection.row_ids()
    known = set(all_ids)
    if len(known) < len(all_ids):
        raise DataError("ids are not unique, so a schedule cannot name rows by them", where=selection.source)
    if strangers := [number for number, one in enumerate(ids) if one not in known]:
        named = ", ".join(ids[number] for number in strangers[:_NAMED])
        more = f", and {len(strangers) - _NAMED:,} more" if len(strangers) > _NAMED else ""
        raise DataError(
            f"the selection does not have {counted(len(strangers), 'row')} of the schedule",
            where=table.where(strangers[0]),
            expected=f"ids of {selection.source}",
            got=named + more,
        )
    places: dict[str, list[int]] = {}
    for place, row_id in enumerate(rows.row_ids):
        places.setdefault(row_id, []).append(place)
    entries: list[int] = []
    taken: list[int] = []
    untrained = 0
    for number, row_id in enumerate(ids):
        own = places.get(row_id, [])
        untrained += not own
        if own and example is not None:
            if example[number] >= len(own):
                raise DataError(
                    f"row {row_id} has no such example",
                    where=table.where(number),
                    expected=f"0 to {len(own) - 1}",
                    got=str(example[number]),
                )
            own = [own[example[number]]]
        entries += [number] * len(own)
        taken += own
    if untrained:
        notice(f"left out, since they have nothing to train: {counted(untrained, 'row')} of the schedule")
    if absent := len(places.keys() - set(ids)):
        notice(f"the schedule leaves out {absent:,} of {counted(len(places), 'row')} that could be trained")
    return np.array(entries, np.int64), np.array(taken, np.int64)


def _refuse_gaps(table: io.Rows, step: NDArray[np.int64]) -> None:
    there = np.unique(step)
    if there[-1] != len(there):
        gap = int(np.flatnonzero(there != np.arange(1, len(there) + 1))[0]) + 1
        raise DataError("steps are numbered 1, 2, 3 without gaps", where=table.source, got=f"no step {gap}")


def _refuse_twice(table: io.Rows, step: NDArray[np.int64], slot: NDArray[np.int64]) -> None:
    order = np.lexsort((slot, step))
    same = (np.diff(step[order]) == 0) & (np.diff(slot[order]) == 0)
    if same.any():
        first, second = sorted(order[np.flatnonzero(same)[0] :][:2].tolist())
        raise DataError(
            f"two rows have the slot {slot[second]} of step {step[second]}",
            where=table.where(second, "slot"),
            got=f"rows {first} and {second}",
        )


def within_row(row_ids: list[str]) -> NDArray[np.int32]:
    """Return the number of each example among those of its row, which follow each other.

    Examples
    --------
    >>> within_row(["a", "b", "b", "c"]).tolist()
    [0, 0, 1, 0]
    """
    numbers = np.zeros(len(row_ids), np.int32)
    for place in range(1, len(row_ids)):
        if row_ids[place] == row_ids[place - 1]:
            numbers[place] = numbers[place - 1] + 1
    return numbers


def _whole(texts: Any) -> pa.Array:
    """Return one array of what may lie in chunks."""
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
