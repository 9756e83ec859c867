"""The output's columns: the rows in training order."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io
from sage_select.columns import COLUMNS, PARENT, PREFIX, SOURCE, Origin
from sage_select.data import Dataset

__all__ = [
    "block_of",
    "counts_of",
    "null_for_nan",
    "origins_of",
    "output_table",
    "parents_of",
    "reason_column",
    "reasons_of",
    "training_order",
]


def reason_column(runs: Iterable[tuple[str, int]]) -> pa.Array:
    """Return the reasons as a string column, one a pick."""
    names, counts = zip(*runs, strict=True) if runs else ((), ())
    codes = np.repeat(np.arange(len(names)), counts)
    return pa.array(names, pa.string()).take(pa.array(codes, pa.int64()))


def reasons_of(data: Dataset) -> pa.Array:
    """Return why each row is in, string (n,)."""
    reason, names = data.feature("reason"), pa.array(data.reasons, pa.string())
    return names.take(pa.array(np.zeros(data.n, np.int64) if reason is None else reason, pa.int64()))


def origins_of(data: Dataset, numbers: NDArray[np.int64]) -> pa.Array:
    """Return what the rows ever seen of these numbers are, string: those of the input were selected, or could be."""
    names = pa.array([Origin.SELECTED, *(one.origin for one in data.additions)], pa.string())
    return names.take(pa.array(block_of(data, numbers)))


def block_of(data: Dataset, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for rows ever seen the block they came with: 0 for the input, then 1 for each addition on."""
    ends = data.input_n + np.cumsum([0, *(one.n for one in data.additions)])
    return np.searchsorted(ends, numbers, side="right")


def parents_of(data: Dataset, numbers: NDArray[np.int64]) -> pa.Array:
    """Return the id of the row that each of these rows ever seen was made of, string; null where of none.

    What is said of a row that was made of another in an earlier run stays true.
    """
    lineage = data.lineage
    made = np.full(len(numbers), -1) if lineage.parents is None else lineage.parents[numbers]
    found = pa.nulls(len(numbers), pa.string()) if lineage.ids is None else _some(lineage.ids, made)
    if data.read is None:
        return found
    tables = (data.read.table, *(one.table for one in data.additions))
    given = pa.chunked_array([chunk for one in tables for chunk in io.parent_ids(one).chunks], pa.string())
    return pc.coalesce(found, _some(given, numbers))


def _some(values: pa.ChunkedArray, numbers: NDArray[np.int64]) -> pa.Array:
    """Return the values of these numbers, null for those below 0."""
    found = values.take(pa.array(numbers, mask=numbers < 0))
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def counts_of(values: pa.Array | pa.ChunkedArray) -> dict[str, int]:
    """Return how many rows have each value, the value of the first row first."""
    return {one["values"]: one["counts"] for one in pc.value_counts(values).to_pylist()}


def training_order(data: Dataset) -> NDArray[np.int64]:
    """Return the rows in training order: by position, or by rank where no stage orders them."""
    position = data.feature("position")
    return np.argsort(data.ranks if position is None else position, kind="stable")


def output_table(data: Dataset) -> pa.Table:
    """Return the rows in `sage_position` order with all `sage_` columns after their own.

    `sage_` columns that the input already had are replaced: they told of another selection. That a row was made of
    another (`sage_parent_id`) is told on.
    """
    order = training_order(data)
    n, gain, phase = len(order), data.feature("gain"), data.feature("phase")
    numbers = data.input_rows(order)
    columns = {
        "sage_row_id": pa.array(numbers).cast(pa.string()) if data.ids is None else data.ids.take(order),
        "sage_origin": origins_of(data, numbers),
        PARENT: parents_of(data, numbers),
        "sage_reason": reasons_of(data).take(pa.array(order)),
        "sage_rank": pa.array(data.ranks[order], pa.int64()),
        "sage_score": pa.nulls(n, pa.float32()) if data.scores is None else null_for_nan(data.scores.values[order]),
        "sage_gain": pa.nulls(n, pa.float32()) if gain is None else null_for_nan(gain[order]),
        "sage_position": pa.array(np.arange(n), pa.int64()),
        "sage_phase": pa.nulls(n, pa.int32()) if phase is None else pa.array(phase[order], pa.int32()),
        "sage_weight": pa.array(np.ones(n, np.float32)),
    }
    own = data.rows.table if data.rows is not None else None
    named = own.column_names if own is not None else []
    names = [name for name in named if name == SOURCE or not name.startswith(PREFIX)]
    table = io.take_rows(own.select(names), order) if own is not None else None
    fields = [table.schema.field(name) for name in names] if table is not None else []
    arrays = [table.column(name) for name in names] if table is not None else []
    for name, (kind, nullable) in COLUMNS.items():
        fields.append(pa.field(name, pa.type_for_alias(kind), nullable=nullable))
        arrays.append(columns[name])
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def null_for_nan(values: NDArray[np.float32]) -> pa.Array:
    """Return the numbers as a column, null where they are NaN."""
    return pa.array(values, pa.float32(), from_pandas=True)
