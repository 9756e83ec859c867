"""The threshold filter: rows in order, without those too near to one kept before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, resolve_threads, translated
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import number, wishes
from sage_select.kernels.select.limits import Limits

__all__ = ["Filtered", "threshold_filter"]


class Filtered(NamedTuple):
    """The rows kept, and how far the filter went."""

    #: int64, at most k: row numbers, in the order that was given.
    indices: NDArray[np.int64]
    #: float32: the similarity to the nearest row given or kept before (the squared distance under ``sqeuclidean``), NaN
    #: where there is none.
    gains: NDArray[np.float32]
    #: How many entries of the order were passed, the last one kept included: all of them where fewer than k were kept.
    looked_at: int
    #: How many of those rows were too near to one given or kept before.
    too_near: int
    #: How many pairs of rows were compared, at any precision: the same on every machine.
    evaluations: int


def threshold_filter(
    matrix: Matrix,
    order: ArrayLike,
    k: int,
    *,
    threshold: float,
    given: ArrayLike | None = None,
    excluded: ArrayLike | None = None,
    limits: Limits | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Filtered:
    """Walk through rows in order and keep each that is unlike all kept before, until there are `k`.

    The filter of DEITA (Liu et al. 2024), where the order is that of a score, and of semantic deduplication (Abbas et
    al. 2023).

    Parameters
    ----------
    matrix
        Under any metric.
    order
        Whole numbers, shape (m,): the rows to look at, each at most once, the best first.
    k
        The most rows to keep, from 0 to n less the rows given and excluded.
    threshold
        A row is kept where its similarity to each row given or kept before is below this; under ``sqeuclidean``, where
        its squared distance is above it.
    given
        Rows that are selected already: rows near to them are not kept, and they are not returned.
    excluded
        Rows that are not kept. Those in the order are passed over, and so are rows given.
    limits
        What the selection may hold, the rows given included: then `k` is the most rows to pick.

    Returns
    -------
    Filtered
        Fewer than `k` rows where the order ends before.

    Raises
    ------
    UsageError
        A threshold that is not finite; `k`, or a row in the order, given or excluded is out of range, or named twice.
    DataError
        The order does not hold whole numbers.
    ResourceError
        The memory cannot be had.

    Notes
    -----
    Similarities are canonical float32, compared with `threshold` as float64. At most
    ``looked_at (len(given) + len(indices)) d`` multiply-adds in int16: a row that is too near meets only those up to
    the first 32 that show it. About 2 d bytes for each row given or kept.

    Examples
    --------
    >>> import numpy as np
    >>> rows = Matrix.from_array(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]))
    >>> found = threshold_filter(rows, [1, 0, 2], 2, threshold=0.9)
    >>> found.indices.tolist(), found.too_near
    ([1, 2], 1)
    """
    numbers = arrays.as_arrow(arrays.integers(order, "order", np.int64))
    with translated():
        return Filtered(
            *_native.threshold_filter(
                matrix.native,
                numbers,
                wishes(k, given, excluded, limits),
                number(threshold, "threshold"),
                resolve_threads(threads),
                progress,
            )
        )
