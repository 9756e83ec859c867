"""The ridge determinant: rows that span much."""

from __future__ import annotations

from numpy.typing import ArrayLike

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, resolve_threads, translated
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import Greedy, float32, number, wishes
from sage_select.kernels.select.limits import Limits

__all__ = ["ridge_dpp"]


def ridge_dpp(
    matrix: Matrix,
    k: int,
    *,
    quality: ArrayLike | None = None,
    eps: float = 0.1,
    given: ArrayLike | None = None,
    excluded: ArrayLike | None = None,
    limits: Limits | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Greedy:
    """Pick rows that span much: greedy for ``log det L_S``, ``L = diag(q) (X X' + eps I) diag(q)``.

    Parameters
    ----------
    matrix
        Under ``cosine`` or ``dot``.
    k
        From 0 to n less the rows given and excluded.
    quality
        ``q``, shape (n,), above 0; taken as float32. None for 1 everywhere.
    eps
        The ridge: how much of a row counts as new whatever was picked before, in squared lengths (1 for ``cosine``).
        At 0.1 a copy of a picked row is worth 17 % of what the row was worth, at 1 it is worth 75 %. From one
        millionth of the largest squared length on.
    given
        Rows that are selected already: what they span counts, and they are not returned.
    excluded
        Rows that are not picked.
    limits
        What the selection may hold, the rows given included: then `k` is the most rows to pick.

    Returns
    -------
    Greedy
        `gains` are what each pick added to ``log det L_S``; they never rise, and may be negative.

    Raises
    ------
    UsageError
        ``sqeuclidean``, which is no similarity; `k`, `eps`, or a row given or excluded is out of range, or named
        twice; another number of qualities than rows.
    DataError
        A quality is NaN, infinite or not above 0 (the first such row is named), or they are not numbers.

    Notes
    -----
    Ties go to the lowest row. At most (k + given) n d multiply-adds, and 2 d min(picks before, d) in float64 for each
    pick; 8 d bytes a pick up to d / 2 of them, 12 d**2 beyond.

    Examples
    --------
    >>> import numpy as np
    >>> rows = Matrix.from_array(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]))
    >>> ridge_dpp(rows, 2).indices.tolist()
    [0, 2]
    """
    values = None if quality is None else arrays.as_arrow(float32(quality, "quality"))
    with translated("quality"):
        rows, gains, evaluations = _native.ridge_dpp(
            matrix.native,
            values,
            wishes(k, given, excluded, limits),
            number(eps, "eps"),
            resolve_threads(threads),
            progress,
        )
    return Greedy(rows, gains, evaluations, "exact")
