"""Some rows of a table, which may be larger than memory is to hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.io.guards.mapped import MAPPED_BYTES, mapped_batches
from sage_select.io.guards.memory import row_budget

__all__ = ["take_rows"]

#: Rows that are taken at a time where all of them are too many, and about the bytes of these.
_ROWS: Final = 4096
_BYTES: Final = 1 << 26


def take_rows(table: pa.Table, numbers: NDArray[np.int64]) -> pa.Table:
    """Return the rows of these numbers, in their order; beyond the memory budget they lie in a mapped file.

    Parameters
    ----------
    numbers
        int64, in any order.

    Notes
    -----
    Arrow joins the chunks of a table before it takes rows out of order: as much again as all of its rows. Rows that do
    not fit are taken some thousand at a time, batch by batch.
    """
    share = table.nbytes * len(numbers) / max(1, table.num_rows)
    if len(numbers) and share > MAPPED_BYTES and share > row_budget():
        rows = max(1, min(_ROWS, int(_BYTES * len(numbers) / share)))
        found = mapped_batches(table.schema, _pieces(table, numbers, rows))
        return pa.Table.from_batches(list(_pieces(table, numbers, rows)), table.schema) if found is None else found
    if np.all(numbers[1:] > numbers[:-1]):
        # Chunk by chunk, where taking by number would join chunks whose text is too long for one.
        mask = np.zeros(table.num_rows, np.bool_)
        mask[numbers] = True
        return table.filter(pa.array(mask))
    return table.take(pa.array(numbers))


def _pieces(table: pa.Table, numbers: NDArray[np.int64], rows: int) -> Iterator[pa.RecordBatch]:
    batches = table.to_batches()
    starts = np.cumsum([0, *(batch.num_rows for batch in batches)])
    for first in range(0, len(numbers), rows):
        wanted = numbers[first : first + rows]
        order = np.argsort(wanted, kind="stable")
        ascending = wanted[order]
        owners = np.searchsorted(starts, ascending, "right") - 1
        back = np.empty(len(wanted), np.int64)
        back[order] = np.arange(len(wanted))
        found = [
            batches[owner].take(pa.array(ascending[owners == owner] - starts[owner])) for owner in np.unique(owners)
        ]
        yield from pa.Table.from_batches(found, table.schema).combine_chunks().take(pa.array(back)).to_batches()
