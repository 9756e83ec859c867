"""The k rows of highest score."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import as_int, map_errors, resolve_threads

__all__ = ["top_k"]


def top_k(values: ArrayLike, k: int, *, threads: int | None = None) -> NDArray[np.int64]:
    """Return the `k` rows of highest score, by (score descending, row ascending); -0 and +0 are equal.

    Parameters
    ----------
    values
        Shape (n,); float32 and float64 are taken as they are, other numbers as float64.
    k
        From 0 to n.

    Raises
    ------
    UsageError
        `k` is negative or more than n.
    DataError
        A score is NaN or infinite (the first such row is named), or the scores are not numbers.

    Notes
    -----
    One pass over the scores and a sort of the k best: O(n + k log k), 12-16 bytes a candidate.

    Examples
    --------
    >>> top_k(np.array([1.0, 3.0, 3.0, 2.0]), 3).tolist()
    [1, 2, 3]
    """
    scores = arrays.as_arrow(arrays.floats(values, "scores"))
    with map_errors("scores"):
        return _native.top_k(scores, as_int(k, "k"), resolve_threads(threads))
