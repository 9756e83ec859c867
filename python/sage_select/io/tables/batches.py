"""A table cut into batches by its content alone, so that equal tables give equal bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["BATCH_ROWS", "canonical", "fixed_batches"]

BATCH_ROWS = 8192


def fixed_batches(table: pa.Table, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """Yield the table in batches of `rows` rows, however it is chunked.

    A batch whose strings would pass 2^31 bytes is halved until they do not.
    """
    for start in range(0, table.num_rows, rows):
        for batch in _whole(table.slice(start, min(rows, table.num_rows - start))):
            columns = [canonical(column) for column in batch.columns]
            yield pa.RecordBatch.from_arrays(columns, schema=table.schema)


def _whole(window: pa.Table) -> Iterator[pa.RecordBatch]:
    batches = window.combine_chunks().to_batches()
    if len(batches) <= 1 or window.num_rows == 1:
        yield from batches
        return
    half = window.num_rows // 2
    yield from _whole(window.slice(0, half))
    yield from _whole(window.slice(half))


def canonical(array: Any) -> pa.Array:
    """Return the same values in memory of their own, with nothing in it but these values.

    Arrow writes what happens to lie under nulls, and pads a slice with the bytes that follow it.
    """
    kind = array.type
    mask = array.is_null() if array.null_count else None
    if pa.types.is_struct(kind):
        children = [canonical(child) for child in array.flatten()]
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=mask)
    if pa.types.is_list(kind):
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), canonical(array.flatten()), type=kind, mask=mask)
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(canonical(_all_items(array)), type=kind, mask=mask)
    if mask is not None:
        return array.take(pa.array(np.arange(len(array))))  # writes zeros for nulls, and nothing for those of strings
    return pa.concat_arrays([array, array.slice(0, 0)])  # two arrays, so that it copies


def _all_items(array: Any) -> pa.Array:
    """Return the items of lists of one size, those of a null list as nulls."""
    if not array.null_count:
        return array.flatten()
    size = array.type.list_size
    items = (array.offset + np.arange(len(array)))[:, np.newaxis] * size + np.arange(size)
    under_null = np.repeat(array.is_null().to_numpy(zero_copy_only=False), size)
    return array.values.take(pa.array(items.ravel(), mask=under_null))
