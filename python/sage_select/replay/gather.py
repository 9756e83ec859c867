"""Rows of a buffer from the segments in which they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.kernels import HeldTable, interleave
from sage_select.replay.offered import vectors_of
from sage_select.replay.state import State

__all__ = ["Gathering", "Segment", "bound", "fitted", "gathered"]

Segment = Callable[[int], pa.Table]

#: Rows of a piece of what is gathered: texts of one piece are at most 2 GB.
_PIECE_ROWS: Final = 1 << 16


class Gathering:
    """Rows of a buffer from its segments, each of which is handed to the kernel once.

    Parameters
    ----------
    segment
        Function from the number of a segment to its rows.
    """

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._held: dict[int, HeldTable] = {}
        self._schema: pa.Schema | None = None

    def rows(self, state: State, some: NDArray[np.int64] | None, schema: pa.Schema) -> pa.Table:
        """Return rows of a state, in this order; all, in the order in which they came, where none are named."""
        if schema is not self._schema:
            self._held, self._schema = {}, schema
        numbers = state.rows.lies_in
        self._held = {one: self._held.get(one) or self._table(one, schema) for one in numbers}
        segments, places = state.rows.segments, state.rows.places
        if some is not None:
            segments, places = segments[some], places[some]
        if not len(places):
            return schema.empty_table()
        tables, which = list(self._held.values()), np.searchsorted(numbers, segments)
        pieces = [slice(start, start + _PIECE_ROWS) for start in range(0, len(places), _PIECE_ROWS)]
        found = [interleave(tables, which[piece], places[piece]) for piece in pieces]
        return found[0] if len(found) == 1 else pa.concat_tables(found)

    def _table(self, number: int, schema: pa.Schema) -> HeldTable:
        table = self._segment(number)
        return HeldTable(fitted(table.select([name for name in schema.names if name in table.column_names]), schema))


def gathered(
    state: State,
    segment: Segment,
    some: NDArray[np.int64] | None = None,
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """Return rows of a buffer, in this order; all, in the order in which they came, where none are named."""
    schema = pa.schema([]) if state.schema is None else state.schema
    if columns is not None:
        schema = pa.schema([schema.field(one) for one in columns])
    return Gathering(segment).rows(state, some, schema)


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
