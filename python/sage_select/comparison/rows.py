"""The rows that an arm trains on: its own stages on the pool, without what repeats the rows to evaluate on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sage_select import io
from sage_select.api import Pipeline
from sage_select.errors import DataError, UsageError
from sage_select.io.commit.names import OutputNames
from sage_select.methods import MethodSpec
from sage_select.pipeline import Stage
from sage_select.stages import Holdout, Sink

__all__ = ["Pool", "groups_of"]


@dataclass(frozen=True)
class Pool:
    """What all arms choose from.

    Attributes
    ----------
    steps
        The source, and stages that come before those of every method, such as scores.
    held_out
        The rows to evaluate on: what repeats them leaves the pool before anything is scored or selected.
    cache
        Where values of models are held; as `Pipeline.run` takes it.
    """

    steps: tuple[Stage, ...]
    held_out: str
    cache: bool | Path

    def chain(self, method: MethodSpec, seed: int) -> Pipeline:
        """Return the stages of a method on the pool."""
        source, *others = self.steps
        return Pipeline(seed=seed, steps=(source, Holdout.make(path=self.held_out), *others, *method.steps))

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
