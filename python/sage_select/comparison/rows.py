"""The rows that an arm trains on: its own stages on the pool, without what repeats the rows to evaluate on."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sage_select import io
from sage_select.api import Pipeline
from sage_select.columns import Origin
from sage_select.comparison.arms import Arm
from sage_select.data import HELD_OUT_CAUSES
from sage_select.display import is_url
from sage_select.engine import finish
from sage_select.errors import DataError, UsageError
from sage_select.io.commit.names import OutputNames
from sage_select.methods import CONTROLS, MethodSpec
from sage_select.paths import user_path
from sage_select.pipeline import Stage
from sage_select.pipeline.plan import resolve
from sage_select.pipeline.run import Silence
from sage_select.pipeline.spec import load_spec
from sage_select.stages import Holdout, Select, Sink, Source

__all__ = ["Pool", "PoolRows", "check_origin", "groups_of", "pool_of_selection", "selection_file", "shape_of"]

#: What became of the rows of a selection that are not trained, as its new manifest has it.
_REPEATING: Final = "comparison: repeats a row to evaluate on"


@dataclass(frozen=True)
class PoolRows:
    """What was found when the pool was read.

    Attributes
    ----------
    rows, repeating
        Rows that arms may choose from, and those that may not be, as they repeat rows to evaluate on.
    columns
        Names of their columns.
    digest
        Of what was read.
    """

    rows: int
    repeating: int
    columns: tuple[str, ...]
    digest: str | None


@dataclass(frozen=True)
class Pool:
    """What all arms choose from.

    Attributes
    ----------
    steps
        The sources, and stages that come before those of every method, such as scores.
    held_out
        The rows to evaluate on: what repeats them leaves the pool before anything is scored or selected.
    cache
        Where values of models are held; as `Pipeline.run` takes it.
    """

    steps: tuple[Stage, ...]
    held_out: str
    cache: bool | Path

    def chain(self, method: MethodSpec, seed: int) -> Pipeline:
        """Return the stages of a method on the pool, with those scores, vectors and the like that it makes use of.

        Raises
        ------
        UsageError
            If they do not go together.
        """
        sources, others = self._sources()
        adding = [step.name for step in (*others, *method.steps) if step.name == "replay"]
        if adding:
            raise UsageError(
                "a replay step adds rows that were not compared with those to evaluate on",
                hint="take the rows of the buffer among the rows to choose from, or replay in a sequence (`buffer`)",
            )
        giving = [step for step in others if step.gives]
        refused: UsageError | None = None
        # As many of them as can be used: what a pipeline names and nothing uses is refused.
        for count in range(len(giving), -1, -1):
            for kept in combinations(giving, count):
                steps = (step for step in others if not step.gives or step in kept)
                apart = Holdout.make(path=self.held_out)
                chain = Pipeline(seed=seed, steps=(*sources, apart, *steps, *method.steps))
                try:
                    resolve(chain)
                except UsageError as error:
                    refused = refused or error
                else:
                    return chain
        raise refused or UsageError("the pool has no stages")

    def _sources(self) -> tuple[list[Stage], list[Stage]]:
        """Return the steps that read rows, and those behind them."""
        return [step for step in self.steps if step.opens], [step for step in self.steps if not step.opens]

    def read(self) -> PoolRows:
        """Read the rows once, so that what is wrong with all of them is an error before anything is trained.

        Raises
        ------
        SageError
            As `sage-select build` does, where the rows, or those to evaluate on, cannot be used.
        """
        sources, _ = self._sources()
        chain = resolve(Pipeline(steps=(*sources, Holdout.make(path=self.held_out))))
        data = finish(chain, Silence(), {}).data
        if data.read is None:
            raise RuntimeError("a source gives rows")
        counts = data.lineage.counts()
        repeating = sum(count for cause, count in counts.items() if cause in HELD_OUT_CAUSES)
        return PoolRows(data.n, repeating, tuple(data.read.table.column_names), data.read.digest)

    def build(self, method: MethodSpec, seed: int, path: Path) -> Path:
        """Write the rows of a method with their manifest, where they are not there already, and return the file.

        Raises
        ------
        SageError
            As `sage-select build` does.
        """
        chain = self.chain(method, seed)
        Pipeline(seed=seed, steps=(*chain.steps, Sink.make(path=str(path)))).run(cache=self.cache, force=True)
        return path

    def apart(self, selection: Path, path: Path) -> Path:
        """Write the rows of a selection in their order, without those that repeat rows to evaluate on.

        Raises
        ------
        SageError
            As `sage-select build` does.
        """
        rows, manifest = io.open_output(selection)
        if manifest is None:
            raise _without_manifest(selection)
        shape = {name: manifest["shape"].get(name) for name in _SHAPE}
        chain = Pipeline.read(selection, **shape).holdout(self.held_out).dedup("none")
        apart = chain.run(cache=self.cache)
        table = _in_training_order(rows.table.take(pa.array(np.sort(apart.indices))))
        # Its rows are read by training as those of the selection are: by the columns that its manifest names.
        counted = manifest["rows"]
        dropped = {**counted["dropped"], _REPEATING: rows.table.num_rows - len(table)}
        said = {**manifest, "fingerprint": None, "rows": {**counted, "kept": len(table), "dropped": dropped}}
        for own in ("format_version", "digest", "output"):
            del said[own]
        io.write(table, path, said, force=True)
        return path


#: What the manifest says of how rows are read, by the names of settings of the source, and of training.
_SHAPE: Final = ("text_column", "prompt_column", "completion_column", "template")


def selection_file(folder: Path) -> Path:
    """Return the file with the rows of an arm under a seed, by their folder."""
    return folder / "selection.arrow"


def shape_of(selection: Path) -> dict[str, str]:
    """Return how the rows of a selection are read, as settings of training: only what was named."""
    shape = (io.read_manifest(selection) or {"shape": {}})["shape"]
    return {name: shape[name] for name in _SHAPE if shape.get(name) is not None}


def groups_of(selection: Path, column: str | None, parts: int) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows of a selection group after group, each with its name, in their training order.

    Parameters
    ----------
    selection
        As `Pool.build` wrote it.
    column
        The column whose values are the groups, in the order in which they first come in the pool; without it the pool
        is cut into `parts` of the same size, in its own order.

    Raises
    ------
    UsageError
        If the column is not there.
    DataError
        If a value of it is missing.
    """
    table = _in_training_order(io.open_output(selection)[0].table)
    report = pq.read_table(OutputNames(selection).row_report, columns=["sage_row_id"])
    place = pc.index_in(table["sage_row_id"], report["sage_row_id"].combine_chunks())
    first = pc.fill_null(place, len(report)).to_numpy()
    if column is None:
        names = np.minimum(first * parts // max(len(report), 1), parts - 1)
        for number in np.unique(names).tolist():
            yield f"part {number + 1}", table.filter(pa.array(names == number))
        return
    if column not in table.column_names:
        raise UsageError(
            f"there is no column {column!r} by which rows come in sequence",
            expected=", ".join(name for name in table.column_names if not name.startswith("sage_")),
            hint="name another with --task-column, or leave it out",
        )
    values = table[column]
    if values.null_count:
        row = int(np.flatnonzero(pc.is_null(values).to_numpy())[0])
        raise DataError(
            f"{values.null_count:,} rows have no value of {column!r}, by which rows come in sequence",
            where=str(selection),
            got=f"none in the row {table['sage_row_id'][row].as_py()}",
        )
    texts = pc.cast(values, pa.string())
    coded = texts.combine_chunks().dictionary_encode()
    codes = coded.indices.to_numpy()
    earliest = [int(first[codes == code].min()) for code in range(len(coded.dictionary))]
    for code in np.argsort(earliest, kind="stable").tolist():
        yield coded.dictionary[code].as_py(), table.filter(pa.array(codes == code))


def _in_training_order(table: pa.Table) -> pa.Table:
    return table.take(pc.sort_indices(table["sage_position"]))


def pool_of_selection(selection: Path, steps: tuple[Stage, ...]) -> tuple[tuple[Stage, ...], list[Arm]]:
    """Return the pool that a selection was made of, and its arm behind that of as many rows drawn at random.

    Parameters
    ----------
    selection
        As `sage-select build` wrote it.
    steps
        The pool, where it is named; empty for the one that the manifest names.

    Raises
    ------
    UsageError
        If it is not there, has no manifest, or the pool is not where it was.
    """
    if not selection.exists():
        raise UsageError("there is no such selection", where=str(selection), hint="make one with `sage-select build`")
    manifest = io.read_manifest(selection)
    if manifest is None:
        raise _without_manifest(selection)
    if not steps:
        chain = load_spec({key: manifest["spec"][key] for key in ("version", "seed", "steps")})
        source = chain.step(Source)
        missing = [one.value for one in source.inputs() if not is_url(one.value) and not _is_there(one.value)]
        if missing:
            raise UsageError(
                "the rows that the selection was made of are not where they were",
                where=str(selection),
                got=", ".join(missing),
                hint="name them: sage-train compare ROWS --selection FILE",
            )
        steps = (source,)
    rows = io.open_output(selection)[0].table
    drawn = int(pc.sum(pc.equal(rows["sage_origin"], Origin.SELECTED)).as_py() or 0)
    if not drawn:
        raise UsageError("the selection has no selected rows", where=str(selection))
    drawing = Select.make(strategy="random", budget=str(drawn), clamp=True)
    random = MethodSpec("random_subset", CONTROLS["random_subset"], (drawing,), control="none")
    own = MethodSpec("selection", f"the rows of {selection.name}, in their order", control="none")
    return steps, [Arm(random.name, random, None), Arm(own.name, own, random.name, selection=selection)]


def check_origin(selection: Path, found: PoolRows, *, named: bool) -> str | None:
    """Return what is to be said where the rows to choose from are not those that a selection was made of.

    Parameters
    ----------
    selection
        The selection.
    found
        The rows to choose from.
    named
        Whether the user named them, as others perhaps.

    Raises
    ------
    UsageError
        If they are others and nobody named them: random rows of them say nothing of the selection.
    """
    manifest = io.read_manifest(selection)
    if manifest is None or manifest["source"].get("digest") in (None, found.digest):
        return None
    if not named:
        raise UsageError(
            "the rows that the selection was made of have changed since, or are read otherwise",
            where=str(selection),
            expected=f"{manifest['source']['name']} as it was",
            hint="build the selection again, or name rows to compare with: sage-train compare ROWS --selection FILE",
        )
    return (
        f"{selection.name} was not made of the rows that are named here, or not as they are now: random rows of these "
        "are its control all the same"
    )


def _without_manifest(selection: Path) -> UsageError:
    return UsageError(
        "the selection has no manifest beside it, so that nobody knows which rows it was selected from",
        where=str(selection),
        hint="compare a file that `sage-select build` wrote",
    )


def _is_there(text: str) -> bool:
    path = user_path(Path(text))
    return path.exists() or bool(glob.glob(str(path), recursive=True))  # noqa: PTH207
