"""Rows of a buffer from the segments in which they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.replay.offered import vectors_of
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
    return pa.Table.from_arrays([_column(table, field) for field in schema], schema=schema)


def _column(table: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if field.name not in table.column_names or pa.types.is_null(table.schema.field(field.name).type):
        return pa.nulls(table.num_rows, field.type)
    return table[field.name].cast(field.type)


def bound(state: State, segment: Segment) -> State:
    """Return the state with rows that find their vectors in the segments, whatever brought them."""
    bare, column = state.bare(), state.vector_column
    if state.schema is None or column is None:
        return bare

    def vectors(some: NDArray[np.int64]) -> NDArray[np.float32]:
        return vectors_of(gathered(bare, segment, some, [column])[column], column)

    return replace(bare, rows=replace(bare.rows, vectors_of=vectors))
