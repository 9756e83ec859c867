"""The ridge determinant: rows that span much."""

from __future__ import annotations

from numpy.typing import ArrayLike

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, as_float, map_errors, resolve_threads
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import Greedy
from sage_select.kernels.select.request import Request, native_request

__all__ = ["ridge_dpp"]


def ridge_dpp(
    matrix: Matrix,
    request: Request | int,
    *,
    quality: ArrayLike | None = None,
    eps: float = 0.1,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Greedy:
    """Pick rows that span much: greedy for ``log det L_S``, ``L = diag(q) (X X' + eps I) diag(q)``.

    Parameters
    ----------
    matrix
        Under ``cosine`` or ``dot``.
    request
        How many rows to pick, or a `Request`; what preselected rows span counts.
    quality
        ``q``, shape (n,), above 0; taken as float32. None for 1 everywhere.
    eps
        The ridge: how much of a row counts as new whatever was picked before, in squared lengths (1 for ``cosine``).
        At 0.1 a copy of a picked row is worth 17 % of what the row was worth, at 1 it is worth 75 %. From one
        millionth of the largest squared length on.

    Returns
    -------
    Greedy
        `gains` are what each pick added to ``log det L_S``; they never rise, and may be negative.

    Raises
    ------
    UsageError
        ``sqeuclidean``, which is no similarity; a request that does not fit; `eps` is out of range; another number of
        qualities than rows.
    DataError
        A quality is NaN, infinite or not above 0 (the first such row is named), or they are not numbers.

    Notes
    -----
    Ties go to the lowest row. At most (k + preselected) n d multiply-adds, and 2 d min(picks before, d) in float64 for
    each pick; 8 d bytes a pick up to d / 2 of them, 12 d**2 beyond.

    Examples
    --------
    >>> import numpy as np
    >>> rows = Matrix.from_array(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]))
    >>> ridge_dpp(rows, 2).indices.tolist()
    [0, 2]
    """
    values = None if quality is None else arrays.float32(quality, "quality")
    with map_errors("quality"):
        rows, gains, evaluations = _native.ridge_dpp(
            matrix.native,
            values,
            native_request(request),
            as_float(eps, "eps"),
            resolve_threads(threads),
            progress,
        )
    return Greedy(rows, gains, evaluations, "exact")
