"""Facility location: rows that represent all rows."""

from __future__ import annotations

from numpy.typing import ArrayLike

from sage_select import _native
from sage_select.kernels.call import Progress, map_errors, resolve_threads
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import Greedy
from sage_select.kernels.select.request import Request, native_request
from sage_select.kernels.select.similarities import evidence, native_similarities

__all__ = ["facility_location"]


def facility_location(
    matrix: Matrix,
    request: Request | int,
    *,
    k_nn: int = 64,
    dense_limit: int = 20_000,
    centroids: ArrayLike | None = None,
    probe: int = 8,
    neighbours: ArrayLike | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Greedy:
    """Pick rows that represent all rows: greedy for ``f(S) = sum_i max_{s in S} max(0, sim(i, s))``.

    Parameters
    ----------
    matrix
        Under ``cosine`` or ``dot``.
    request
        How many rows to pick, or a `Request`; the coverage of preselected rows counts, and excluded rows are to be
        represented like others.
    k_nn
        Neighbours of a row in the graph, itself included.
    dense_limit
        The maximum number of rows for which all pairs are held (4 n**2 bytes, and n**2 d / 2 multiply-adds).
    centroids
        Shape (c, d), float32: neighbours are searched for in cells around these directions, rather than among all rows.
        A few times the square root of n of them are best.
    probe
        How many cells a row probes, those nearest to it.
    neighbours
        Shape (n, any), int32: the rows that were found near each row, in any order, -1 for none; the row itself may be
        among them or not. The `k_nn` nearest of them are taken, in place of a search.

    Returns
    -------
    Greedy
        `method` is ``dense`` (exact greedy, within 1 - 1/e of the best set: Nemhauser, Wolsey and Fisher 1978) or
        ``graph``: each row is served only by its neighbours, found among all rows (n**2 d multiply-adds), those of
        near cells (n d (c + probe n / c) in int16, and 4 d bytes a row; canonical arithmetic decides among what could
        be a neighbour) or `neighbours`, and its coverage starts at 0.9 times the similarity of its last neighbour, so
        that gains understate those of `f`.

    Raises
    ------
    UsageError
        ``sqeuclidean``, which is no similarity; a request that does not fit; `k_nn` or `probe` is out of range; a
        centroid holds NaN or infinity; centroids and neighbours at once.
    DataError
        The centroids or neighbours have another shape; a neighbour does not exist or is named twice (the first row that
        names one is reported).
    ResourceError
        The memory cannot be had.

    Notes
    -----
    Ties go to the lowest row; when no row gains anything the lowest unpicked row follows.
    """
    with map_errors():
        found = _native.facility_location(
            matrix.native,
            native_request(request),
            native_similarities(matrix, k_nn, dense_limit, centroids, probe, neighbours),
            resolve_threads(threads),
            progress,
        )
    return evidence(found)
