"""The rows to train on, in the order in which they will be consumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io
from sage_select.columns import PREFIX, Origin
from sage_select.errors import DataError, Where
from sage_select.render import Shape, ShapeOptions, detect_shape
from sage_select.render.values import python_values
from sage_select.train.config import TrainConfig

__all__ = ["CORE", "OrderedRows", "Row", "load_selection", "read_selection"]

_BATCH = 1024
_ORIGIN = f"{PREFIX}origin"
_PHASE = f"{PREFIX}phase"
#: The origin, in a schedule, of a row that was selected.
CORE = "core"


@dataclass(frozen=True)
class Row:
    """One row: its number in the file, its id, its loss weight and the values its shape needs."""

    number: int
    row_id: str
    weight: float
    values: dict[str, Any]
    where: Where


@dataclass(frozen=True)
class OrderedRows:
    """Rows in training order.

    Parameters
    ----------
    rows
        The table as read, in file order, and the places of its rows.
    order
        Row numbers in training order, int64.
    shape
        How a row is read.
    manifest
        What the selection's writer left beside it; None for a plain table.
    notices
        What the user should be told.
    """

    rows: io.Rows
    order: np.ndarray[Any, np.dtype[np.int64]]
    shape: Shape
    manifest: Mapping[str, Any] | None
    notices: tuple[str, ...]

    @property
    def source(self) -> str:
        """The selection as the user named it."""
        return self.rows.source

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[Row]:
        names = list(self.shape.columns)
        table = self.rows.table.select(list(dict.fromkeys((*names, *self._own("sage_row_id", "sage_weight")))))
        for start in range(0, len(self.order), _BATCH):
            numbers = self.order[start : start + _BATCH]
            batch = table.take(pa.array(numbers))
            columns = {name: python_values(batch.column(name)) for name in batch.column_names}
            ids = columns.get("sage_row_id", numbers.tolist())
            weights = columns.get("sage_weight", [1.0] * len(numbers))
            contents = zip(*(columns[name] for name in names), strict=True)
            for number, row_id, weight, content in zip(numbers.tolist(), ids, weights, contents, strict=True):
                yield Row(
                    number=number,
                    row_id=str(row_id),
                    weight=float(weight),
                    values=dict(zip(names, content, strict=True)),
                    where=self.rows.where(number),
                )

    def row_ids(self) -> list[str]:
        """Return the id of each row, in order; its number in the file where it has none."""
        if not self._own("sage_row_id"):
            return list(map(str, self.order.tolist()))
        return list(map(str, self.rows.table.column("sage_row_id").take(pa.array(self.order)).to_pylist()))

    def facts(self, numbers: NDArray[np.int64]) -> pa.Table:
        """Return what is known of rows beside what they say: `origin`, `parent_id`, `task` (string), `phase` (int32).

        No task is: a replay buffer knows that of a row.

        Parameters
        ----------
        numbers
            Of the rows in the file.
        """
        table, taken = self.rows.table, pa.array(numbers)
        origin, phase = pa.nulls(len(numbers), pa.string()), pa.nulls(len(numbers), pa.int32())
        if self._own(_ORIGIN) and pa.types.is_string(table.schema.field(_ORIGIN).type):
            origin = table[_ORIGIN].take(taken)
        if self._own(_PHASE):
            phase = table[_PHASE].take(taken).cast(pa.int32())
        selected = pc.fill_null(pc.equal(origin, Origin.SELECTED), True)
        return pa.table(
            {
                "origin": pc.if_else(selected, CORE, origin),
                "parent_id": io.parent_ids(table).take(taken),
                "phase": phase,
                "task": pa.nulls(len(numbers), pa.string()),
            }
        )

    def at(self, places: np.ndarray[Any, np.dtype[np.int64]]) -> OrderedRows:
        """Return the rows at these places of the order."""
        return replace(self, order=self.order[places])

    def _own(self, *columns: str) -> list[str]:
        return [name for name in columns if name in self.rows.table.column_names]


def load_selection(selection: Any, config: TrainConfig) -> OrderedRows:
    """Read a selection as a configuration says, by `read_selection`."""
    options = ShapeOptions(config.text_column, config.prompt_column, config.completion_column, config.template)
    return read_selection(selection, options, verify=config.verify)


def read_selection(selection: Any, options: ShapeOptions | None = None, *, verify: bool = True) -> OrderedRows:
    """Read a selection: a file written by `sage-select`, any other table, or an object that is an Arrow stream.

    Rows come in `sage_position` order where that column is present, else in file order.

    Parameters
    ----------
    selection
        A path, or rows in memory: an object with `__arrow_c_stream__`, a list of dicts.
    options
        How a row is read, where the user says so; that wins over the manifest.
    verify
        Whether a selection, or its manifest, that has been changed since it was written is refused.

    Raises
    ------
    UsageError
        If the file is missing, the object is no table, or no known row shape is recognised.
    DataError
        If the file is damaged or a `sage_` column holds impossible values.
    """
    if isinstance(selection, str | Path):
        rows, manifest = io.open_output(selection, verify=verify)
    else:
        rows, manifest = io.from_object(selection), None
    notices = list(rows.notices)
    names = rows.table.column_names
    options = options or ShapeOptions()
    if manifest is not None and options == ShapeOptions():
        shape = _shape(manifest, rows)
    else:
        shape = detect_shape(rows.table.schema, options)
    if manifest is None:
        notices.append(f"{rows.source} has no manifest; its rows are read as {shape.name}")
    if "sage_position" in names:
        order = _positions(rows)
    else:
        order = np.arange(rows.table.num_rows, dtype=np.int64)
        notices.append(f"{rows.source} has no column sage_position; its rows are trained in file order")
    for column in ("sage_row_id", "sage_weight"):
        if column in names:
            _refuse_nulls(rows, column)
    if "sage_weight" in names:
        _check_weights(rows)
    if _PHASE in names:
        _check_phases(rows)
    return OrderedRows(rows, order, shape, manifest, tuple(notices))


def _shape(manifest: Mapping[str, Any], rows: io.Rows) -> Shape:
    try:
        shape = Shape.from_dict(manifest["shape"])
        used = sorted({*shape.columns, *shape.fields.values()})
        missing = [name for name in used if name not in set(rows.table.column_names)]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError(
            "the manifest does not say how rows are read", where=rows.source, hint="build the selection again"
        ) from None
    if missing:
        raise DataError(
            "the manifest says that rows are read from columns which are not there",
            where=rows.source,
            expected=", ".join(used),
            got="no " + ", ".join(missing),
            hint="build the selection again",
        )
    return shape


def _positions(rows: io.Rows) -> np.ndarray[Any, np.dtype[np.int64]]:
    _refuse_nulls(rows, "sage_position")
    column = rows.table.column("sage_position")
    if not pa.types.is_integer(column.type):
        raise DataError("positions must be whole numbers", where=rows.where(0, "sage_position"), got=str(column.type))
    positions = column.to_numpy()
    order = np.argsort(positions, kind="stable").astype(np.int64)
    ordered = positions[order]
    twice = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(twice):
        first, second = sorted(order[twice[0] : twice[0] + 2].tolist())
        raise DataError(
            f"two rows have the position {ordered[twice[0]]}",
            where=rows.where(second, "sage_position"),
            got=f"rows {first} and {second}",
            hint="write the selection again",
        )
    return order


def _check_weights(rows: io.Rows) -> None:
    column = rows.table.column("sage_weight")
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        raise DataError("loss weights must be numbers", where=rows.where(0, "sage_weight"), got=str(column.type))
    weights = column.to_numpy().astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
    if len(bad):
        raise DataError(
            "a loss weight must be a finite number, 0 or more",
            where=rows.where(int(bad[0]), "sage_weight"),
            got=str(weights[bad[0]]),
        )


def _check_phases(rows: io.Rows) -> None:
    column = rows.table.column(_PHASE)
    if column.null_count == len(column):  # in text files, of any type
        return
    if not pa.types.is_integer(column.type):
        raise DataError("phases must be whole numbers", where=rows.where(0, _PHASE), got=str(column.type))
    values = column.drop_null().cast(pa.int64()).to_numpy()
    if not 0 <= values.min() <= values.max() < 2**31:
        raise DataError("a phase must be 0 or more", where=rows.source, got=f"{values.min()} to {values.max()}")


def _refuse_nulls(rows: io.Rows, column: str) -> None:
    nulls = rows.table.column(column).null_count
    if nulls:
        first = pc.index(rows.table.column(column).is_null(), True).as_py()
        raise DataError(f"{nulls:,} empty values", where=rows.where(first, column), hint="write the selection again")
