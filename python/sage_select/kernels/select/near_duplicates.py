"""Near duplicates, each with its representative, by the leader algorithm."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, as_float, as_int, map_errors, resolve_threads
from sage_select.kernels.matrix import Matrix

__all__ = ["NearDuplicates", "near_duplicates"]


class NearDuplicates(NamedTuple):
    """The representative of each row of the order, in its order."""

    #: int64: the row itself where it is a representative, else the representative before it that is nearest to it.
    representatives: NDArray[np.int64]
    #: float32: the cosine similarity to that row; NaN where the row is a representative.
    similarities: NDArray[np.float32]
    #: Of the pairs of near rows that a sample of rows forms, the share that is compared with cells; 1 without cells.
    recall: float
    #: How many pairs of rows were compared, at any precision: the same on every machine.
    evaluations: int


def near_duplicates(
    matrix: Matrix,
    order: ArrayLike,
    *,
    threshold: float,
    protected_prefix: int = 0,
    centroids: ArrayLike | None = None,
    probe: int = 1,
    threads: int | None = None,
    progress: Progress | None = None,
) -> NearDuplicates:
    """Find the rows of an order whose similarity to a representative before them is `threshold` or more.

    All other rows are representatives: the leader algorithm (Hartigan 1975), which SemDeDup (Abbas et al. 2023) applies
    within k-means cells.

    Parameters
    ----------
    matrix
        Under ``cosine``.
    order
        Whole numbers, shape (m,): the rows to compare, each at most once; the first of near rows is the representative.
    threshold
        The cosine similarity from which on a row is a near duplicate.
    protected_prefix
        How many rows, the first of the order, are representatives in any case.
    centroids
        float32 (c, d): a row is compared only with rows whose nearest centroid is among the `probe` nearest to itself.
        By default with all.
    probe
        How many cells a row probes; all of them where there are fewer.

    Returns
    -------
    NearDuplicates
        Of several near representatives the nearest counts, the lowest of equally near ones.

    Raises
    ------
    UsageError
        Another metric, a threshold that is not finite, a row in the order that is out of range or named twice, more
        protected rows than the order holds.
    DataError
        The order does not hold whole numbers, or the centroids do not fit the rows or are not finite.
    ResourceError
        The memory cannot be had.

    Notes
    -----
    Similarities are canonical float32, compared with `threshold` as float64. Most pairs are told apart in int16 by a
    few coordinates, since the squared distance in these is at most 2 - 2 threshold where all are that near. Where most
    rows are representatives the cost grows with their square: 100,000 take about 1 s on two cores at 384 dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> rows = Matrix.from_array(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]))
    >>> near_duplicates(rows, [0, 1, 2], threshold=0.9).representatives.tolist()
    [0, 0, 2]
    """
    numbers = arrays.row_numbers(order, "order")
    cells = None if centroids is None else arrays.as_rows(centroids, "centroids", matrix.d)
    probe = as_int(probe, "probe", minimum=1, maximum=2**31 - 1)
    with map_errors():
        return NearDuplicates(
            *_native.near_duplicates(
                matrix.native,
                (numbers, as_int(protected_prefix, "protected_prefix")),
                as_float(threshold, "threshold"),
                None if cells is None else (cells, probe),
                resolve_threads(threads),
                progress,
            )
        )
