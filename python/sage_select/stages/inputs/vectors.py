"""Vectors as stages compare them that look at angles alone."""

from __future__ import annotations

import numpy as np

from sage_select.data import Dataset
from sage_select.kernels import Matrix

__all__ = ["cosine_matrix"]


def cosine_matrix(data: Dataset, threads: int | None) -> Matrix:
    """Return the vectors of the rows scaled to length 1, whatever the metric of the selection.

    Raises
    ------
    DataError
        If a vector is zero.
    """
    matrix = data.matrix
    if matrix is None:
        raise RuntimeError("rows are near by their vectors")
    if matrix.metric == "cosine":
        return matrix
    return Matrix.from_array(matrix.take(np.arange(data.n)), name=matrix.name, threads=threads)
