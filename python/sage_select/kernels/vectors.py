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
from sage_select.kernels.arrays import runs

__all__ = ["Vectors", "lists_of_one_width", "some_vectors", "vectors_of_lists", "vectors_of_numpy"]

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


def some_vectors(
    vectors: NDArray[Any] | pa.Array | pa.ChunkedArray, rows: NDArray[np.int64]
) -> NDArray[Any] | pa.Array | pa.ChunkedArray:
    """Return the vectors of some rows, ascending; where few rows are left out, as slices over the same memory.

    Parameters
    ----------
    vectors
        A numpy array of one row a vector, or an Arrow array of lists.
    rows
        Which of them.
    """
    found = runs(rows)
    if isinstance(vectors, pa.Array | pa.ChunkedArray):
        if found is None:
            return vectors.take(pa.array(rows))
        parts = [vectors.slice(first, end - first) for first, end in found]
        chunks = [chunk for part in parts for chunk in (part.chunks if isinstance(part, pa.ChunkedArray) else [part])]
        return pa.chunked_array(chunks, vectors.type)
    plain = vectors.ndim == 2 and vectors.shape[1] > 0 and vectors.dtype in _FLOATS and vectors.flags.c_contiguous
    if found is not None and len(found) == 1:
        return vectors[slice(*found[0])]
    if found is None or not plain or not vectors.flags.aligned:
        taken = vectors[rows]
        taken.flags.writeable = False  # nobody else has it: it need not be copied again
        return taken
    return pa.chunked_array(
        [
            pa.FixedSizeListArray.from_arrays(arrays.as_arrow(vectors[first:end].reshape(-1)), vectors.shape[1])
            for first, end in found
        ],
        pa.list_(pa.from_numpy_dtype(vectors.dtype), vectors.shape[1]),
    )


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
        `FixedSizeList`, `List` or `LargeList`, in one chunk or in several.
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
