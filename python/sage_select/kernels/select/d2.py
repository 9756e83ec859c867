"""D2 sampling: rows drawn by their squared distance to those before."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, as_int, map_errors, resolve_threads
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import Greedy
from sage_select.kernels.select.request import Request, native_request

__all__ = ["d2"]


def d2(
    matrix: Matrix,
    request: Request | int,
    *,
    key: int,
    order: ArrayLike | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Greedy:
    """Draw rows as k-means++ is seeded (Arthur and Vassilvitskii 2007).

    Each is drawn with probability in proportion to its squared distance to the nearest row selected before.

    Parameters
    ----------
    matrix
        Under ``cosine`` (distances between rows of length 1) or ``sqeuclidean``.
    request
        How many rows to pick, or a `Request`; distances count from preselected rows too.
    key
        Unsigned 64-bit, as `sage_select.seeds.stage_key` makes it: it decides every draw.
    order
        Whole numbers, shape (n,): every row once. Draws fall on places in this order, so that where it follows from the
        ids of rows the same rows are drawn in any order of the rows. None for the numbers of the rows.

    Returns
    -------
    Greedy
        `gains` are squared distances to the nearest row selected before, NaN for a first pick with nothing preselected.

    Raises
    ------
    UsageError
        ``dot``, which is no distance; a request that does not fit; `key` or a row in the order is out of range, or a
        row is named twice.
    DataError
        The order does not name every row.

    Notes
    -----
    The first pick is drawn uniformly. Copies of a selected row come last, in row order. The law is exact, in
    canonical float32 distances: rows are proposed by weights known earlier, which are upper bounds, and a proposed row
    is picked with probability distance / weight. That takes about (k + preselected)**2 comparisons and 2 n, whatever
    the number of rows; at worst, among clusters ever farther apart, a few times the (k + preselected) n of the
    definition. 2 d + 9 bytes a row beside the matrix, and 8 more with an order.
    """
    places = None if order is None else arrays.as_arrow(arrays.integers(order, "order", np.uint32))
    with map_errors():
        rows, gains, evaluations = _native.d2(
            matrix.native,
            native_request(request),
            as_int(key, "key", maximum=2**64 - 1),
            places,
            resolve_threads(threads),
            progress,
        )
    return Greedy(rows, gains, evaluations, "exact")
