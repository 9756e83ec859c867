"""D2 sampling: rows drawn by their squared distance to those before."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import Progress, resolve_threads, translated, whole
from sage_select.kernels.matrix import Matrix
from sage_select.kernels.select.greedy import Greedy, wishes
from sage_select.kernels.select.limits import Limits

__all__ = ["d2"]


def d2(
    matrix: Matrix,
    k: int,
    *,
    key: int,
    order: ArrayLike | None = None,
    given: ArrayLike | None = None,
    excluded: ArrayLike | None = None,
    limits: Limits | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Greedy:
    """Draw rows as k-means++ is seeded (Arthur and Vassilvitskii 2007).

    Each is drawn with probability in proportion to its squared distance to the nearest row selected before.

    Parameters
    ----------
    matrix
        Under ``cosine`` (distances between rows of length 1) or ``sqeuclidean``.
    k
        From 0 to n less the rows given and excluded.
    key
        Unsigned 64-bit, as `sage_select.seeds.stage_key` makes it: it decides every draw.
    order
        Whole numbers, shape (n,): every row once. Draws fall on places in this order, so that where it follows from the
        ids of rows the same rows are drawn wherever they stand. None for the numbers of the rows.
    given
        Rows that are selected already: they count for the distances, and they are not returned.
    excluded
        Rows that are not picked.
    limits
        What the selection may hold, the rows given included: then `k` is the most rows to pick.

    Returns
    -------
    Greedy
        `gains` are squared distances to the nearest row selected before, NaN for a first pick with nothing given.

    Raises
    ------
    UsageError
        ``dot``, which is no distance; `k`, `key`, or a row in the order, given or excluded is out of range, or a row is
        named twice.
    DataError
        The order does not name every row.

    Notes
    -----
    The first pick is drawn evenly. Rows that repeat a selected one come last, in row order. The law is exact, in
    canonical float32 distances: rows are proposed by weights known earlier, which are upper bounds, and a proposed row
    is picked with probability distance / weight. That takes about (k + given)**2 comparisons and 2 n, whatever the
    number of rows; at worst, among clusters ever farther apart, a few times the (k + given) n of the definition.
    2 d + 9 bytes a row beside the matrix, and 8 more with an order.
    """
    places = None if order is None else arrays.as_arrow(arrays.integers(order, "order", np.uint32))
    with translated():
        rows, gains, evaluations = _native.d2(
            matrix.native,
            wishes(k, given, excluded, limits),
            whole(key, "key", most=2**64 - 1),
            places,
            resolve_threads(threads),
            progress,
        )
    return Greedy(rows, gains, evaluations, "exact")
