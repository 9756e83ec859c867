"""Embeddings, checked once and held where the kernels can read them."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import _native
from sage_select.errors import DataError, UsageError, Where, nearest
from sage_select.kernels import arrays
from sage_select.kernels.call import resolve_threads, translated

__all__ = ["Matrix", "Metric", "instruction_set"]

Metric = Literal["cosine", "dot", "sqeuclidean"]

_METRICS: tuple[str, ...] = get_args(Metric)
_FLOATS = (np.float16, np.float32, np.float64)


class Matrix:
    """A checked embedding matrix: n rows of d finite float32 values.

    Make one with `from_array`. Under ``cosine`` the rows held are scaled to length 1.
    """

    def __init__(self, native: _native.Matrix, metric: Metric, name: str) -> None:
        self._native = native
        self.metric: Metric = metric
        self.name = name

    @classmethod
    def from_array(
        cls,
        array: NDArray[Any] | pa.FixedSizeListArray | pa.ChunkedArray,
        *,
        metric: Metric = "cosine",
        name: str = "embeddings",
        threads: int | None = None,
    ) -> Matrix:
        """Check an array of embeddings and take it over.

        Parameters
        ----------
        array
            Shape (n, d), float16, float32 or float64; or an Arrow ``FixedSizeList`` array of them.
        metric
            ``cosine`` (rows are scaled to length 1), ``dot`` or ``sqeuclidean`` (rows as they are).
        name
            What messages call the array, such as its file or column.

        Notes
        -----
        Rows for ``cosine``, and all that are not contiguous float32, are copied (4 n d bytes). Others are used
        where they lie if nobody can write to them: Arrow memory, and numpy arrays with ``flags.writeable`` false
        (as a file mapped for reading); the memory must then stay as it is. A numpy array that can be written to
        is copied.

        Raises
        ------
        UsageError
            Unknown metric.
        DataError
            Another shape or type; a null, a NaN or an infinity, a value too large for float32, a zero row under
            ``cosine``: the first such row is named.
        ResourceError
            The memory for a copy cannot be had.
        """
        if metric not in _METRICS:
            hint = nearest(str(metric), _METRICS)
            raise UsageError("unknown metric", expected=", ".join(_METRICS), got=repr(metric), hint=hint)
        if isinstance(array, (pa.Array, pa.ChunkedArray)):
            values, dimensions = _values_of_lists(array, name)
            borrow = True
        else:
            values, dimensions, borrow = _values_of_numpy(np.asarray(array), name)
        with translated(name):
            native = _native.Matrix.from_values(values, dimensions, metric, borrow, resolve_threads(threads))
        return cls(native, metric, name)

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return a copy of some rows, float32 (len(rows), d), as the kernels see them: of length 1 under ``cosine``.

        Raises
        ------
        UsageError
            A number names no row.
        """
        with translated(self.name):
            taken = self._native.take(arrays.as_arrow(arrays.integers(rows, "rows", np.int64)))
        return taken.reshape(-1, self.d)

    @property
    def n(self) -> int:
        """Number of rows."""
        return self._native.rows

    @property
    def d(self) -> int:
        """Values in a row."""
        return self._native.dimensions

    @property
    def borrowed(self) -> bool:
        """Whether the rows lie in the caller's memory rather than in a copy."""
        return self._native.borrowed

    @property
    def native(self) -> _native.Matrix:
        """The handle that the kernels take."""
        return self._native

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return f"Matrix({self.name!r}, n={self.n}, d={self.d}, metric={self.metric!r})"


def instruction_set() -> str:
    """Return the instruction set in use: ``portable``, ``avx2`` or ``avx512``.

    The environment variable ``SAGE_SIMD`` forces one; all give the same bits.

    Raises
    ------
    UsageError
        ``SAGE_SIMD`` names none that this machine has.
    """
    with translated():
        return _native.instruction_set()


def _values_of_numpy(array: NDArray[Any], name: str) -> tuple[pa.Array, int, bool]:
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
    borrow = not array.flags.writeable or not np.shares_memory(ready, array)
    return arrays.as_arrow(ready), array.shape[1], borrow


def _values_of_lists(array: pa.Array | pa.ChunkedArray, name: str) -> tuple[pa.Array, int]:
    kind = array.type
    if not pa.types.is_fixed_size_list(kind) or not pa.types.is_floating(kind.value_type) or kind.list_size == 0:
        raise DataError(
            "embeddings are of the wrong type",
            where=name,
            expected="FixedSizeList of float16, float32 or float64",
            got=str(kind),
        )
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
        if isinstance(array, pa.ChunkedArray):
            array = pa.array([], kind) if array.num_chunks == 0 else array.chunk(0)
    values = array.values.slice(array.offset * kind.list_size, len(array) * kind.list_size)
    if array.null_count:
        raise _null_row(array.is_null(), name)
    if values.null_count:
        flags = np.asarray(values.is_null()).reshape(-1, kind.list_size).any(axis=1)
        raise _null_row(flags, name)
    return values, kind.list_size


def _null_row(flags: Any, name: str) -> DataError:
    row = int(np.flatnonzero(np.asarray(flags))[0])
    return DataError("the embedding is null or holds a null", where=Where(file=name, row=row), expected="numbers")
