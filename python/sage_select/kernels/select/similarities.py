"""What objectives over similarities share: how these are held, and the evidence for it."""

from __future__ import annotations

from typing import Literal, TypeAlias, cast

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from sage_select.errors import DataError, UsageError
from sage_select.kernels import arrays
from sage_select.kernels.call import as_int
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import Greedy

__all__ = ["evidence", "native_similarities"]

_NativeSimilarities: TypeAlias = tuple[int, int, tuple[pa.Array, int] | None, tuple[pa.Array, int] | None]


def native_similarities(
    matrix: Matrix,
    k_nn: int,
    dense_limit: int,
    centroids: ArrayLike | None,
    probe: int,
    neighbours: ArrayLike | None,
) -> _NativeSimilarities:
    """Return how similarities are to be held, as the native module takes it."""
    if centroids is not None and neighbours is not None:
        raise UsageError("give centroids or neighbours, not both")
    cells = None if centroids is None else arrays.as_rows(centroids, "centroids", matrix.d)
    probe = as_int(probe, "probe", minimum=1, maximum=2**31 - 1)
    return (
        as_int(k_nn, "k_nn", minimum=1, maximum=2**31 - 1),
        as_int(dense_limit, "dense_limit"),
        None if neighbours is None else _lists(neighbours, matrix.n),
        None if cells is None else (cells, probe),
    )


def _lists(neighbours: ArrayLike, n: int) -> tuple[pa.Array, int]:
    """Return the neighbours of all rows, one list after the other, and how long a list is."""
    lists = np.asarray(neighbours)
    if lists.ndim != 2 or len(lists) != n or lists.dtype != np.int32:
        got = f"shape {lists.shape}, {lists.dtype}"
        raise DataError("neighbours do not fit the rows", expected=f"shape ({n}, any), int32", got=got)
    return arrays.as_arrow(np.require(lists, requirements=["C", "A"])), lists.shape[1]


def evidence(found: tuple[NDArray[np.int64], NDArray[np.float32], int, str, float]) -> Greedy:
    """Return what a kernel found, and how the similarities were held."""
    rows, gains, evaluations, method, recall = found
    return Greedy(rows, gains, evaluations, cast("Literal['dense', 'graph']", method), recall)
