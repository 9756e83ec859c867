"""Cells of the embedding space: where they are, which one a row lies in, and picks spread over them."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.errors import UsageError
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, as_int, map_errors, resolve_threads
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.request import Request, native_request

__all__ = ["K_MEANS_BOUNDS_BYTES", "Medoids", "assign_cells", "cell_distances", "k_means", "medoids", "stratified"]

#: What `k_means` holds of bounds of pairs of a row and a centroid, 4 bytes each, at most.
K_MEANS_BOUNDS_BYTES: Final = _native.K_MEANS_BOUNDS_BYTES


def k_means(
    matrix: Matrix,
    cells: int,
    sample: ArrayLike,
    *,
    iterations: int = 10,
    directions: bool = False,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Return the centroids of cells by k-means (Lloyd 1982), float32 (cells, d).

    Parameters
    ----------
    matrix
        The rows as prepared, so of length 1 under ``cosine``; centroids are not.
    cells
        From 1 to the size of the sample.
    sample
        Numbers of the rows to train on, as a rule drawn at random; the first of them are the first centroids.
    iterations
        How often rows are assigned and means are taken.
    directions
        Whether centroids are scaled to length 1: for rows of length 1 (Dhillon and Modha 2001).

    Raises
    ------
    UsageError
        `cells` or `iterations` is out of range, or the sample names a row that does not exist.
    ResourceError
        The memory cannot be had.

    Notes
    -----
    Same bits on every machine: canonical float32 distances, means summed in float64 in the order of the sample. A cell
    that loses all rows takes the farthest row of the largest cell. len(sample) * cells * d multiply-adds an iteration.

    Examples
    --------
    >>> rows = Matrix.from_array(np.array([[0.0], [1.0], [8.0], [10.0]]), metric="sqeuclidean")
    >>> k_means(rows, 2, [0, 3, 1, 2]).tolist()
    [[0.5], [9.0]]
    """
    numbers = arrays.row_numbers(sample, "sample")
    with map_errors("sample"):
        centroids = _native.k_means(
            matrix.native,
            numbers,
            as_int(cells, "cells", minimum=1),
            as_int(iterations, "iterations"),
            directions,
            resolve_threads(threads),
        )
    return centroids.reshape(-1, matrix.d)


def assign_cells(
    matrix: Matrix, centroids: ArrayLike, *, threads: int | None = None, progress: Progress | None = None
) -> NDArray[np.int32]:
    """Return the cell of each row: the centroid at the smallest squared distance, the lowest of equal ones.

    Parameters
    ----------
    matrix
        The rows as prepared, so of length 1 under ``cosine``.
    centroids
        Shape (c, d), c at least 1; taken as float32 and used as they are.

    Raises
    ------
    UsageError
        A centroid holds NaN or infinity.
    DataError
        The centroids have another shape.

    Notes
    -----
    Canonical float32 distances; n * c * d multiply-adds.
    """
    flat = arrays.as_rows(centroids, "centroids", matrix.d)
    with map_errors():
        return _native.assign_cells(matrix.native, flat, resolve_threads(threads), progress)


def cell_distances(
    matrix: Matrix, centroids: ArrayLike, cells: ArrayLike, *, threads: int | None = None
) -> NDArray[np.float32]:
    """Return the squared distance of each row to the centroid of its cell, float32 (n,).

    Parameters
    ----------
    matrix
        The rows as prepared, so of length 1 under ``cosine``.
    centroids
        Shape (c, d), c at least 1; taken as float32 and used as they are.
    cells
        int32 (n,) in [0, c), as `assign_cells` gives them.

    Raises
    ------
    UsageError
        Another number of cells than rows, or a cell that has no centroid.
    DataError
        The centroids have another shape, or a cell number is negative.
    """
    flat = arrays.as_rows(centroids, "centroids", matrix.d)
    labels = arrays.as_arrow(arrays.integers(cells, "cells", np.int32))
    with map_errors("cells"):
        return _native.cell_distances(matrix.native, flat, labels, resolve_threads(threads))


class Medoids(NamedTuple):
    """Representatives of cells, in pick order."""

    #: int64, shape (k,): row numbers.
    indices: NDArray[np.int64]
    #: float32, shape (k,): how many rows the cell of each has.
    sizes: NDArray[np.float32]
    #: How many picks, at the end, are not the first of their cell, or are of a cell with a preselected row.
    fills: int


def medoids(
    matrix: Matrix,
    centroids: ArrayLike,
    request: Request | int,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Medoids:
    """Pick the row nearest to the centroid of each cell, from the largest cell on.

    Parameters
    ----------
    matrix, centroids
        As in `assign_cells`, which says what cell a row lies in.
    request
        How many rows to pick, or a `Request`: nothing is picked from the cells of preselected rows as long as others
        have candidates; excluded rows count for the sizes of cells.

    Raises
    ------
    UsageError
        A centroid holds NaN or infinity; a request that does not fit.
    DataError
        The centroids have another shape.

    Notes
    -----
    Ties go to the lowest row and the lowest cell. Where too few cells have a candidate, all cells, again from
    the largest on, give their next nearest row in turn. Canonical float32 distances; n * c * d multiply-adds.

    Examples
    --------
    >>> matrix = Matrix.from_array([[0.0], [1.0], [9.0], [9.5], [11.0]], metric="sqeuclidean")
    >>> medoids(matrix, [[0.0], [10.0]], 3).indices.tolist()
    [3, 0, 2]
    """
    flat = arrays.as_rows(centroids, "centroids", matrix.d)
    with map_errors():
        return Medoids(
            *_native.medoids(matrix.native, flat, native_request(request), resolve_threads(threads), progress)
        )


def stratified(scores: ArrayLike, cells: ArrayLike, count: int, quantile: float) -> NDArray[np.int64]:
    """Rank all rows, the first `count` divided over the cells by size, around a quantile of the scores within each.

    Parameters
    ----------
    scores
        Shape (n,), finite.
    cells
        Shape (n,), whole numbers from 0.
    count
        From 0 to n: how many rows are wanted.
    quantile
        Within 0 (the lowest scores of each cell) and 1 (the highest).

    Returns
    -------
    numpy.ndarray
        int64, shape (n,): the wanted rows, by (score descending, row ascending), and then all others, for where some of
        those cannot be had.

    Raises
    ------
    UsageError
        `count` is negative or more than n, `quantile` is outside 0 to 1, or the lengths differ.
    DataError
        A score is NaN or infinite, or a cell negative: the first such row is named.

    Notes
    -----
    A cell of s of the n rows is due ``count * s / n`` picks: the whole parts first, then one each by largest
    remainder, ties to the lowest cell. Within a cell, sorted by (score, row), the wanted rows are the contiguous window
    of the allotted length m that starts at ``floor(quantile * (s - 1) - (m - 1) / 2 + 0.5)``, moved into the cell
    where it reaches beyond. All others follow by (places from the window of their cell, score descending, row
    ascending). O(n log n).

    Examples
    --------
    >>> stratified([1.0, 2.0, 3.0, 10.0, 20.0, 30.0], [0, 0, 0, 1, 1, 1], 2, 0.5).tolist()
    [4, 1, 5, 3, 2, 0]
    """
    if not isinstance(quantile, (float, int, np.floating)) or not 0 <= quantile <= 1:
        raise UsageError("quantile is out of range", expected="a number from 0 to 1", got=repr(quantile))
    values = arrays.floats(scores, "scores").astype(np.float64, copy=False)
    with map_errors():
        return _native.stratified(
            arrays.as_arrow(values),
            arrays.as_arrow(arrays.integers(cells, "cells", np.int32)),
            as_int(count, "count"),
            float(quantile),
        )
