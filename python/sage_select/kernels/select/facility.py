"""Facility location: rows that represent all rows."""

from __future__ import annotations

from numpy.typing import ArrayLike

from sage_select import _native
from sage_select.kernels.call import Progress, resolve_threads, translated
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import Greedy, wishes
from sage_select.kernels.select.limits import Limits
from sage_select.kernels.select.similarities import evidence, held

__all__ = ["facility_location"]


def facility_location(
    matrix: Matrix,
    k: int,
    *,
    given: ArrayLike | None = None,
    excluded: ArrayLike | None = None,
    limits: Limits | None = None,
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
    k
        From 0 to n less the rows given and excluded.
    given
        Rows that are selected already: their coverage counts, and they are not returned.
    excluded
        Rows that are not picked, though others may represent them.
    limits
        What the selection may hold, the rows given included: then `k` is the most rows to pick.
    k_nn
        Neighbours of a row in the graph, itself included.
    dense_limit
        Most rows for which all pairs are held (4 n**2 bytes, and n**2 d / 2 multiply-adds).
    centroids
        Shape (c, d), float32: neighbours are looked for in cells around these directions, rather than among all rows. A
        few times the square root of n of them are best.
    probe
        How many cells a row looks at, those nearest to it.
    neighbours
        Shape (n, any), int32: the rows that were found near each row, in any order, -1 for none; the row itself may be
        among them or not. The `k_nn` nearest of them are taken, in place of a search.

    Returns
    -------
    Greedy
        `method` is ``dense`` (exact greedy, within 1 - 1/e of the best set: Nemhauser, Wolsey and Fisher 1978) or
        ``graph``: each row is served only by its neighbours, found among all rows (n**2 d multiply-adds), those of
        near cells (n d (c + probe n / c) in int16, and 4 d bytes a row; canonical arithmetic decides among what could
        be a neighbour) or those given, and its coverage starts at 0.9 times the similarity of its last neighbour, so
        that gains understate those of `f`.

    Raises
    ------
    UsageError
        ``sqeuclidean``, which is no similarity; `k`, `k_nn`, `probe` or a row given or excluded is out of range, or
        named twice; a centroid holds NaN or infinity; centroids and neighbours at once.
    DataError
        The centroids or neighbours have another shape; a neighbour does not exist or is named twice (the first row that
        names one is told).
    ResourceError
        The memory cannot be had.

    Notes
    -----
    Ties go to the lowest row; when no row gains anything the lowest unpicked row follows.
    """
    with translated():
        found = _native.facility_location(
            matrix.native,
            wishes(k, given, excluded, limits),
            held(matrix, k_nn, dense_limit, centroids, probe, neighbours),
            resolve_threads(threads),
            progress,
        )
    return evidence(found)
