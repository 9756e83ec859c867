"""k-center: rows far from each other."""

from __future__ import annotations

from numpy.typing import ArrayLike

from sage_select import _native
from sage_select.kernels.call import Progress, resolve_threads, translated, whole
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import Greedy, wishes

__all__ = ["k_center"]


def k_center(
    matrix: Matrix,
    k: int,
    *,
    given: ArrayLike | None = None,
    excluded: ArrayLike | None = None,
    start: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Greedy:
    """Pick rows far from each other: each is the farthest from all before it (Gonzalez 1985).

    Parameters
    ----------
    matrix
        Under ``cosine`` (distances between rows of length 1) or ``sqeuclidean``.
    k
        From 0 to n less the rows given and excluded.
    given
        Rows that are selected already: picks are far from them too, and they are not returned.
    excluded
        Rows that are not picked.
    start
        The first pick, by default row 0; only where no rows are given.

    Returns
    -------
    Greedy
        `gains` are squared distances to the nearest row selected before, NaN for a first pick with nothing given.

    Raises
    ------
    UsageError
        ``dot``, which is no distance; `k`, `start`, or a row given or excluded is out of range, or named twice.

    Notes
    -----
    Ties go to the lowest row, and so do rows that repeat a selected one, at the end. Bounds in int16 spare most of
    the (k + given) n comparisons, about a quarter is left on 36,000 real embeddings; the picks are those of the
    definition in canonical float32 arithmetic. 2 d + 20 bytes a row beside the matrix.
    """
    with translated():
        rows, gains, evaluations = _native.k_center(
            matrix.native,
            wishes(k, given, excluded),
            None if start is None else whole(start, "start"),
            resolve_threads(threads),
            progress,
        )
    return Greedy(rows, gains, evaluations, "exact")
