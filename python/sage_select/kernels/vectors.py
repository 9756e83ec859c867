"""Embeddings on their way to the kernels: chunks of flat Arrow values over the caller's own memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select.errors import DataError, Where
from sage_select.kernels import arrays

__all__ = ["Vectors", "lists_of_one_width", "vectors_of_lists", "vectors_of_numpy"]

_FLOATS = (np.float16, np.float32, np.float64)


class Vectors(NamedTuple):
    """Rows of `dimensions` values each, one after the other; `frozen` where nobody writes to their memory."""

    values: pa.ChunkedArray
    dimensions: int
    frozen: bool


def vectors_of_numpy(array: NDArray[Any], name: str) -> Vectors:
    """Return the rows of an array, copied only where they are not contiguous.

    Raises
    ------
    DataError
        It has another number of dimensions, no values in a row, or holds something other than floats.
    """
    if array.ndim != 2 or array.shape[1] == 0:
        raise DataError(
            "embeddings must be rows of numbers",
            where=name,
            expected="shape (n, d), d at least 1",
            got=f"shape {array.shape}",
        )
    if array.dtype.newbyteorder("=").type not in _FLOATS:
        raise DataError(
            "embeddings are of the wrong type", where=name, expected="float16, float32 or float64", got=str(array.dtype)
        )
    ready = np.require(array, dtype=array.dtype.newbyteorder("="), requirements=["C", "A"])
    # A copy made here belongs to nobody else.
    frozen = not array.flags.writeable or not np.shares_memory(ready, array)
    return Vectors(pa.chunked_array([arrays.as_arrow(ready)]), array.shape[1], frozen)


def vectors_of_lists(column: pa.Array | pa.ChunkedArray, name: str) -> Vectors:
    """Return the rows of a list array where they lie.

    Raises
    ------
    DataError
        As `lists_of_one_width`; or the lists hold something other than floats.
    """
    lists = lists_of_one_width(column, lambda row: Where(file=name, row=row))
    if not pa.types.is_floating(lists.type.value_type):
        expected = "lists of float16, float32 or float64"
        raise DataError("embeddings are of the wrong type", where=name, expected=expected, got=str(column.type))
    values = pa.chunked_array(_joined([chunk.flatten() for chunk in lists.chunks]), lists.type.value_type)
    return Vectors(values, lists.type.list_size, True)


def lists_of_one_width(column: pa.Array | pa.ChunkedArray, where: Callable[[int], Where]) -> pa.ChunkedArray:
    """Return a column of lists as `FixedSizeList` over the same memory.

    Parameters
    ----------
    column
        `FixedSizeList`, `List` or `LargeList`, in one piece or in chunks.
    where
        Names the place of a row.

    Raises
    ------
    DataError
        It holds no lists, a list or a value in one is null, or a list is empty, longer or shorter than the first.
    """
    column = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    kind = column.type
    if not (pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        raise DataError("embeddings are of the wrong type", where=where(0), expected="lists of numbers", got=str(kind))
    if column.null_count:
        raise _null(where(int(pc.index(column.is_null(), True).as_py())))
    width = _width(column, where)
    values = pa.chunked_array([chunk.flatten() for chunk in column.chunks], kind.value_type)
    if values.null_count:
        raise _null(where(int(pc.index(values.is_null(), True).as_py()) // width))
    if pa.types.is_fixed_size_list(kind):
        return column
    lists = [pa.FixedSizeListArray.from_arrays(chunk, width) for chunk in values.chunks]
    return pa.chunked_array(lists, pa.list_(kind.value_type, width))


def _width(column: pa.ChunkedArray, where: Callable[[int], Where]) -> int:
    if pa.types.is_fixed_size_list(column.type):
        width = int(column.type.list_size)
    else:
        lengths = pc.list_value_length(column)
        width = lengths[0].as_py() if len(lengths) else 1
        other = pc.index(pc.not_equal(lengths, width), True).as_py()
        if other >= 0:
            raise DataError(
                "embeddings have different lengths",
                where=where(other),
                expected=f"{width} numbers, as the first row",
                got=f"{lengths[other]} numbers",
            )
    if width == 0:
        raise DataError("embeddings have no dimensions", where=where(0))
    return width


def _null(where: Where) -> DataError:
    return DataError("the embedding is null or holds a null", where=where, expected="numbers")


def _joined(chunks: list[pa.Array]) -> list[pa.Array]:
    """Return flat chunks, those that lie one after the other in one buffer as one."""
    joined: list[pa.Array] = []
    for chunk in chunks:
        if not len(chunk):
            continue
        last = joined[-1] if joined else chunk
        memory, before = chunk.buffers()[1], last.buffers()[1]
        if joined and memory.address == before.address and last.offset + len(last) == chunk.offset:
            joined[-1] = pa.Array.from_buffers(chunk.type, len(last) + len(chunk), [None, memory], offset=last.offset)
        else:
            joined.append(chunk)
    return joined
