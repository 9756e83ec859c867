"""Embeddings, checked once and held where the kernels can read them."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import _native
from sage_select.errors import UsageError, nearest
from sage_select.kernels import arrays
from sage_select.kernels.call import map_errors, resolve_threads
from sage_select.kernels.vectors import vectors_of_lists, vectors_of_numpy

__all__ = ["Matrix", "Metric", "instruction_set"]

Metric = Literal["cosine", "dot", "sqeuclidean"]

_METRICS: tuple[str, ...] = get_args(Metric)


class Matrix:
    """A checked embedding matrix: n rows of d finite float32 values.

    Make one with `from_array`. Under ``cosine`` the rows held are scaled to length 1; a row whose squared length, in
    float64, is within 2**-20 of 1 counts as having it and is held as it is.
    """

    def __init__(self, native: _native.Matrix, metric: Metric, name: str) -> None:
        self._native = native
        self.metric: Metric = metric
        self.name = name

    @classmethod
    def from_array(
        cls,
        array: NDArray[Any] | pa.Array | pa.ChunkedArray,
        *,
        metric: Metric = "cosine",
        name: str = "embeddings",
        threads: int | None = None,
    ) -> Matrix:
        """Check an array of embeddings and take it over.

        Parameters
        ----------
        array
            Shape (n, d), float16, float32 or float64; or an Arrow array, in one chunk or in several, of lists of them
            that all have one length.
        metric
            ``cosine`` (rows are scaled to length 1), ``dot`` or ``sqeuclidean`` (rows as they are).
        name
            What messages call the array, such as its file or column.

        Notes
        -----
        Rows are used where they lie if nobody can write to them (Arrow memory in one chunk, and numpy arrays with
        ``flags.writeable`` false, as a file mapped for reading), and they are contiguous float32 that need no change:
        under ``cosine`` all of length 1. The memory must then stay as it is. Others are copied (4 n d bytes), chunks
        one by one, and checked and scaled in the same pass. A numpy array that is not contiguous is copied before.

        Raises
        ------
        UsageError
            Unknown metric.
        DataError
            Another shape or type; a null, a list of another length, a NaN or an infinity, a value too large for
            float32, a zero row under ``cosine``: the first such row is named.
        ResourceError
            The memory for a copy cannot be had.
        """
        if metric not in _METRICS:
            hint = nearest(str(metric), _METRICS)
            raise UsageError("unknown metric", expected=", ".join(_METRICS), got=repr(metric), hint=hint)
        if isinstance(array, (pa.Array, pa.ChunkedArray)):
            vectors = vectors_of_lists(array, name)
        else:
            vectors = vectors_of_numpy(np.asarray(array), name)
        with map_errors(name):
            native = _native.Matrix.from_values(
                vectors.values, vectors.dimensions, metric, vectors.frozen, resolve_threads(threads)
            )
        return cls(native, metric, name)

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return a copy of some rows, float32 (len(rows), d), as the kernels see them: of length 1 under ``cosine``.

        Raises
        ------
        UsageError
            A number names no row.
        """
        with map_errors(self.name):
            taken = self._native.take(arrays.row_numbers(rows, "rows"))
        return taken.reshape(-1, self.d)

    def only(self, rows: NDArray[np.int64]) -> Matrix:
        """Return a matrix of copies of some rows, the same bits as here.

        Raises
        ------
        UsageError
            A number names no row.
        """
        taken = self.take(rows)
        taken.flags.writeable = False
        return Matrix.from_array(taken, metric=self.metric, name=self.name)

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
    with map_errors():
        return _native.instruction_set()
