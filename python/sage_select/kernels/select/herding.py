"""Herding: rows whose running mean follows the mean of all."""

from __future__ import annotations

from numpy.typing import ArrayLike

from sage_select import _native
from sage_select.kernels.call import Progress, resolve_threads, translated
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import Greedy, wishes
from sage_select.kernels.select.limits import Limits

__all__ = ["herding"]


def herding(
    matrix: Matrix,
    k: int,
    *,
    given: ArrayLike | None = None,
    excluded: ArrayLike | None = None,
    limits: Limits | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Greedy:
    """Pick the row of largest ``<x, w>``; `w` starts as the mean of all rows, and each pick adds ``mean - x``.

    The mean of the picks then nears that of all rows about as fast as 1 / k, where random picks need 1 / sqrt(k)
    (Welling 2009). No row is picked twice.

    Parameters
    ----------
    matrix
        Under ``cosine`` (rows of length 1) or ``dot``.
    k
        From 0 to n less the rows given and excluded.
    given
        Rows that are selected already: each has added its ``mean - x``, and they are not returned.
    excluded
        Rows that are not picked; they are part of the mean.
    limits
        What the selection may hold, the rows given included: then `k` is the most rows to pick.

    Returns
    -------
    Greedy
        `gains` are the products with `w` when each row was picked.

    Raises
    ------
    UsageError
        ``sqeuclidean``, which has no products; `k`, or a row given or excluded is out of range, or named twice.
    DataError
        Under ``dot``, rows so long that products could leave the range of float32.
    ResourceError
        The memory cannot be had.

    Notes
    -----
    Ties go to the lowest row. The mean and `w` are float64, and `w` is rounded to float32 for each pick; products are
    canonical float32. The products of rows that may be picked soon are taken ahead, twelve vectors in one pass over
    the rows in int16. The better the guesses, the fewer the passes: one for about five of the first 1,000 picks of
    36,000 real embeddings, at worst one for each. 2 d + 200 bytes a row beside the matrix.

    Examples
    --------
    >>> import numpy as np
    >>> rows = Matrix.from_array(np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0], [-1.0, 1.0]]), metric="dot")
    >>> herding(rows, 2).indices.tolist()
    [2, 0]
    """
    with translated():
        rows, gains, evaluations = _native.herding(
            matrix.native, wishes(k, given, excluded, limits), resolve_threads(threads), progress
        )
    return Greedy(rows, gains, evaluations, "exact")
