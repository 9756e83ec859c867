"""Rows of a buffer from the segments in which they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.replay.offered import ids_of, vectors_of
from sage_select.replay.state import State

__all__ = ["Segment", "bound", "fitted", "gathered"]

Segment = Callable[[int], pa.Table]


def gathered(
    state: State,
    segment: Segment,
    some: NDArray[np.int64] | None = None,
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """Return rows of a buffer, in this order; all, in the order in which they came, where none are named."""
    some = np.arange(state.rows.n) if some is None else some
    schema = pa.schema([]) if state.schema is None else state.schema
    if columns is not None:
        schema = pa.schema([schema.field(one) for one in columns])
    segments, places = state.rows.segments[some], state.rows.places[some]
    numbers, which = np.unique(segments, return_inverse=True)
    tables = []
    for one in numbers.tolist():
        table = segment(one)
        known = table if columns is None else table.select([name for name in columns if name in table.column_names])
        tables.append(fitted(known, schema))
    if not tables:
        return schema.empty_table()
    starts = np.cumsum([0, *(table.num_rows for table in tables)])
    return pa.concat_tables(tables).take(pa.array(starts[which] + places))


def fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with the columns of a schema: null where they have none."""
    if table.schema.equals(schema, check_metadata=True):
        return table
    n = table.num_rows
    arrays = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(n, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def bound(state: State, segment: Segment, id_column: str) -> State:
    """Return the state with rows that find their ids and vectors in the segments, whatever brought them."""
    rows, column = state.rows, state.vector_column or ""
    if state.schema is None:
        return state

    def ids(some: NDArray[np.int64]) -> pa.Array:
        return ids_of(gathered(state, segment, some, [id_column]), id_column)

    def vectors(some: NDArray[np.int64]) -> NDArray[np.float32]:
        return vectors_of(gathered(state, segment, some, [column])[column], column)

    return replace(state, rows=replace(rows, ids_of=ids, vectors_of=vectors if column else None))
