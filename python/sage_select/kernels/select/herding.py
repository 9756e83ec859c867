"""Herding: rows whose running mean follows the mean of all, or another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, map_errors, resolve_threads
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import Greedy
from sage_select.kernels.select.request import Request, native_request

__all__ = ["herding"]


def herding(
    matrix: Matrix,
    request: Request | int,
    *,
    mean: ArrayLike | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Greedy:
    """Pick the row of largest ``<x, w>``; `w` starts as the mean, and each pick adds ``mean - x``.

    The mean of the picks then nears `mean` about as fast as 1 / k, where random picks need 1 / sqrt(k)
    (Welling 2009). No row is picked twice.

    Parameters
    ----------
    matrix
        Under ``cosine`` (rows of length 1) or ``dot``.
    request
        How many rows to pick, or a `Request`; each preselected row has added its ``mean - x``, and excluded rows are
        part of the mean of all rows.
    mean
        float64, shape (d,): what the mean of the picks is to follow, such as the running mean of a stream of which
        these are the rows still held, as the kernels see rows (of length 1 under ``cosine``); None for that of all
        rows.

    Returns
    -------
    Greedy
        `gains` are the products with `w` when each row was picked.

    Raises
    ------
    UsageError
        ``sqeuclidean``, which has no products; a request that does not fit; a mean of another width, not finite
        or too long.
    DataError
        Under ``dot``, rows so long that products could leave the range of float32.
    ResourceError
        The memory cannot be had.

    Notes
    -----
    Ties go to the lowest row. The mean and `w` are float64, and `w` is rounded to float32 for each pick; products are
    canonical float32. The next picks are guessed, and the products with their vectors computed by speculation, eight
    vectors in one pass over the rows in int16. The better the guesses, the fewer the passes: one for about five of the
    first 1,000 picks of 36,000 real embeddings, at worst one for each. 2 d + 200 bytes a row beside the matrix.

    Examples
    --------
    >>> rows = Matrix.from_array(np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0], [-1.0, 1.0]]), metric="dot")
    >>> herding(rows, 2).indices.tolist()
    [2, 0]
    """
    wanted = None if mean is None else arrays.as_arrow(arrays.floats(mean, "mean").astype(np.float64, copy=False))
    with map_errors():
        rows, gains, evaluations = _native.herding(
            matrix.native, native_request(request), wanted, resolve_threads(threads), progress
        )
    return Greedy(rows, gains, evaluations, "exact")
