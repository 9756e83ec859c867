"""Arrays on their way to the kernels: checked, made contiguous, and handed over as Arrow without another copy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from sage_select.errors import DataError, UsageError, Where

__all__ = ["as_arrow", "as_rows", "float32", "floats", "integers", "row_numbers", "runs", "some_rows", "texts"]

#: Whole numbers up to here are exact in float64.
_EXACT = 2**53
#: Runs are few up to so many, and one more for so many rows: a slice costs about as much as copying these.
_FEW = 16
_ROWS_OF_RUN = 4096


def texts(column: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a string column as chunks.

    Raises
    ------
    UsageError
        It is no Arrow array.
    DataError
        It holds something other than ``string`` or ``large_string``. (The kernel refuses null texts, with the row.)
    """
    if not isinstance(column, (pa.Array, pa.ChunkedArray)):
        raise UsageError(
            "texts must be an Arrow array", expected="pyarrow Array or ChunkedArray", got=type(column).__name__
        )
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise DataError("the column does not hold text", expected="string or large_string", got=str(column.type))
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def runs(rows: NDArray[np.int64]) -> list[tuple[int, int]] | None:
    """Return ascending row numbers as (first, end) of runs of consecutive ones, or None where these are many.

    Rows of few runs are slices of what they are rows of, and need no copy.

    Examples
    --------
    >>> runs(np.array([0, 1, 2, 4, 5]))
    [(0, 3), (4, 6)]
    """
    ends = np.flatnonzero(np.diff(rows) != 1) + 1
    if len(ends) >= _FEW + len(rows) // _ROWS_OF_RUN:
        return None
    places = [0, *ends.tolist(), len(rows)]
    return [(int(rows[a]), int(rows[b - 1]) + 1) for a, b in pairwise(places) if b > a]


def some_rows(column: pa.ChunkedArray, rows: NDArray[np.int64]) -> pa.ChunkedArray:
    """Return some rows of a column, ascending; where few are left out, as slices over the same memory."""
    found = runs(rows)
    if found is None:
        # Chunk by chunk, where taking by number would join all chunks first.
        first, end = int(rows[0]), int(rows[-1]) + 1
        mask = np.zeros(end - first, np.bool_)
        mask[rows - first] = True
        return column.slice(first, end - first).filter(pa.array(mask))
    chunks = [chunk for first, end in found for chunk in column.slice(first, end - first).chunks]
    return pa.chunked_array(chunks, column.type)


def as_arrow(values: NDArray[Any]) -> pa.Array:
    """Return a contiguous, aligned numpy array as a flat Arrow array over the same memory."""
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), values.size, [None, pa.py_buffer(values)])


def as_rows(values: ArrayLike, name: str, d: int) -> pa.Array:
    """Return float rows of width `d`, at least one, as float32, one after the other.

    Raises
    ------
    DataError
        They have another shape or type. (The kernel refuses values that are not finite.)
    """
    rows = np.asarray(values)
    if rows.ndim != 2 or rows.shape[1] != d or len(rows) == 0 or rows.dtype.kind != "f":
        got = f"shape {rows.shape}, {rows.dtype}"
        raise DataError(f"{name} do not fit the rows", expected=f"shape (c, {d}), float32", got=got)
    return as_arrow(np.require(rows, dtype=np.float32, requirements=["C", "A"]))


def floats(values: ArrayLike, name: str) -> NDArray[np.float32] | NDArray[np.float64]:
    """Return a 1-D array as contiguous float32 where it is that, else as float64.

    Raises
    ------
    DataError
        It has another number of dimensions, does not hold numbers, or holds whole numbers that float64 would round.
    """
    array = _one_dimension(values, name)
    if array.dtype == np.float32:
        return np.require(array, dtype=np.float32, requirements=["C", "A"])
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise DataError(f"{name} must be numbers", expected="float32 or float64", got=str(array.dtype))
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        beyond = np.flatnonzero((array > _EXACT) | (array < -_EXACT if array.dtype.kind == "i" else False))
        if beyond.size:
            raise DataError(
                f"{name} holds a whole number that float64 rounds",
                where=Where(row=int(beyond[0])),
                expected="at most 2**53 in size",
                got=str(array[beyond[0]]),
            )
    return np.require(array, dtype=np.float64, requirements=["C", "A"])


def float32(values: ArrayLike, name: str) -> pa.Array:
    """Return a 1-D array of numbers as float32.

    A number beyond float32 becomes infinite, which the kernels refuse by its row.
    """
    with np.errstate(over="ignore"):
        return as_arrow(floats(values, name).astype(np.float32, copy=False))


def row_numbers(rows: ArrayLike | None, name: str) -> pa.Array:
    """Return row numbers as int64; none where there are none."""
    return as_arrow(integers([] if rows is None else rows, name, np.int64))


def integers(values: ArrayLike, name: str, dtype: type[np.integer[Any]]) -> NDArray[Any]:
    """Return a 1-D array of whole numbers as contiguous `dtype`; values must fit.

    Raises
    ------
    DataError
        It has another number of dimensions, does not hold whole numbers, or holds one that does not fit.
    """
    array = _one_dimension(values, name)
    if array.size == 0:
        return np.empty(0, dtype)
    if array.dtype.kind not in "iu":
        raise DataError(f"{name} must be whole numbers", expected=np.dtype(dtype).name, got=str(array.dtype))
    bounds = np.iinfo(dtype)
    if not np.can_cast(array.dtype, dtype) and not bounds.min <= int(array.min()) <= int(array.max()) <= bounds.max:
        outside = np.flatnonzero((array < bounds.min) | (array > bounds.max))
        raise DataError(
            f"{name} holds a number that does not fit",
            where=Where(row=int(outside[0])),
            expected=np.dtype(dtype).name,
            got=str(array[outside[0]]),
        )
    return np.require(array, dtype=dtype, requirements=["C", "A"])


def _one_dimension(values: ArrayLike, name: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise DataError(f"{name} must have one dimension", expected="shape (n,)", got=f"shape {array.shape}")
    return array
