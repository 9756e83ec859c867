"""Rows of several tables in one, without the tables being joined."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from numpy.typing import ArrayLike

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import map_errors

__all__ = ["HeldTable", "interleave"]

#: A table from which `interleave` takes rows: `HeldTable(table)`. It holds on to the table and copies nothing.
HeldTable = _native.HeldTable


def interleave(tables: Sequence[_native.HeldTable], which: ArrayLike, rows: ArrayLike) -> pa.Table:
    """Return row ``rows[i]`` of the table ``tables[which[i]]`` for each i, in one piece.

    Parameters
    ----------
    tables
        At least one, all with the same columns.
    which, rows
        int64, shape (m,).

    Returns
    -------
    pyarrow.Table
        m rows with the metadata of the first table.

    Raises
    ------
    UsageError
        There is no such table or row, tables have different columns, or the dictionaries of a column together have
        more values than its type can number.

    Notes
    -----
    O(m), whatever the size of the tables: `pyarrow.Table.take` joins all chunks of a text column before it takes some
    rows, so that 512 rows of 200 MB in two chunks cost as much as 200 MB.

    Examples
    --------
    >>> one, other = pa.table({"id": ["a", "b"]}), pa.table({"id": ["c"]})
    >>> interleave([HeldTable(one), HeldTable(other)], [1, 0], [0, 1])["id"].to_pylist()
    ['c', 'b']
    """
    numbers = arrays.row_numbers(which, "which"), arrays.row_numbers(rows, "rows")
    with map_errors("rows"):
        batch = _native.interleave(list(tables), *numbers)
    return pa.Table.from_batches([batch])
