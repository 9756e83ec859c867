"""Strict JSON to Arrow: text in, a table out, and what is wrong with rows by their numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import _native
from sage_select.kernels.call import Progress, map_errors, resolve_threads

__all__ = ["FoundRows", "JsonTable"]


class FoundRows(NamedTuple):
    """What was found in a chunk of text.

    Parameters
    ----------
    rows
        How many rows it has.
    lines
        uint32 (rows,): the line of each row, from 0; None where each row has the next line.
    line_count
        How many lines it has.
    names
        The columns that its rows name.
    bad
        Rows of the chunk that are no strict JSON, or no object: the row, and where its text begins and ends.
    changes
        Rows in which a column has another type than in the good rows before: column, row and what it is there, the row
        before and what it was there. These rows are counted over all chunks.
    infinite
        Rows of the chunk with a number too large for a float, the column, and whether it is held as JSON text.
    inexact
        A column that cannot be held: decimal numbers, the first in this row, and whole ones that are no float, the
        first in that. Rows are counted over all chunks.
    """

    rows: int
    lines: NDArray[np.uint32] | None
    line_count: int
    names: list[str]
    bad: list[tuple[int, int, int]]
    changes: list[tuple[str, int, str, int, str]]
    infinite: list[tuple[int, str, bool]]
    inexact: tuple[str, int, int] | None


class JsonTable:
    """JSON rows on their way into a table.

    Parameters
    ----------
    threads
        Threads to use; no result depends on it.

    Notes
    -----
    The rules are those of the Rust crate `sage-select-rows`, module `read`. Bad rows are null in all columns.
    """

    def __init__(self, *, threads: int | None = None) -> None:
        self._threads = resolve_threads(threads)
        self._table = _native.JsonTable()

    def take(self, text: bytes, *, is_array: bool = False, progress: Progress | None = None) -> FoundRows | None:
        """Take in JSON lines, of which the last need not end, or a whole JSON array.

        Returns
        -------
        FoundRows or None
            None where an array is none, or cannot be read on.

        Raises
        ------
        ResourceError
            A value is more than 2 GiB.
        """
        with map_errors():
            found: dict[str, Any] | None = self._table.take(text, is_array, self._threads, progress)
        return None if found is None else FoundRows(**found)

    def stale(self) -> int:
        """Return how many of the first chunks were built by a layout that later rows have widened."""
        return self._table.stale()

    def rebuild(self, chunk: int, text: bytes, *, is_array: bool = False) -> bool:
        """Build a chunk again, and return whether its text is the one that was taken."""
        with map_errors():
            return self._table.rebuild(chunk, text, is_array, self._threads)

    def chunk(self, chunk: int) -> pa.Table:
        """Return the rows of a chunk as they are built so far."""
        with map_errors():
            return pa.table(self._table.chunk(chunk))

    def put(self, chunk: int, table: pa.Table) -> bool:
        """Hold the rows of a chunk where `table` holds them; return whether they are those of `chunk`."""
        return self._table.put(chunk, table)

    def columns(self) -> list[tuple[str, bool, bool]]:
        """Return the columns so far: name, whether null in some rows, whether missing in some."""
        return self._table.columns()

    def finish(self) -> pa.Table:
        """Return the table, once nothing of it is stale; this object is empty afterwards."""
        with map_errors():
            table = pa.table(self._table.finish())
        # Rust holds the metadata of a field in no order, and what is written must not depend on chance.
        fields = [
            field.with_metadata(dict(sorted(field.metadata.items()))) if field.metadata else field
            for field in table.schema
        ]
        return pa.Table.from_arrays(table.columns, schema=pa.schema(fields))
