"""Picks in an order that is known beforehand."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import translated, whole
from sage_select.kernels.select.greedy import wishes
from sage_select.kernels.select.limits import Limits

__all__ = ["in_order"]


def in_order(
    n: int,
    order: ArrayLike,
    k: int,
    *,
    given: ArrayLike | None = None,
    excluded: ArrayLike | None = None,
    limits: Limits | None = None,
) -> NDArray[np.int64]:
    """Pick the first `k` rows of an order that can be picked.

    Parameters
    ----------
    n
        How many rows there are.
    order
        Whole numbers, shape (m,): the rows to look at, each at most once, the best first.
    k
        The most rows to pick.
    given
        Rows that are selected already: they are passed over, and count for the limits.
    excluded
        Rows that are not picked.
    limits
        What the selection may hold, the rows given included.

    Returns
    -------
    numpy.ndarray
        int64: the rows picked, in order; fewer than `k` where the order ends or the limits leave no more.

    Raises
    ------
    UsageError
        A row in the order, given or excluded is out of range, or named twice; without limits, `k` is more than there
        are rows to pick.
    DataError
        The order does not hold whole numbers.

    Notes
    -----
    O(n + m).

    Examples
    --------
    >>> in_order(4, [3, 1, 0, 2], 2, excluded=[1]).tolist()
    [3, 0]
    >>> limits = Limits(groups=np.array([0, 0, 1, 1]), most=np.array([1, 1]))
    >>> in_order(4, [3, 2, 1, 0], 4, limits=limits).tolist()
    [3, 1]
    """
    numbers = arrays.as_arrow(arrays.integers(order, "order", np.int64))
    with translated():
        return _native.in_order(whole(n, "n"), numbers, wishes(k, given, excluded, limits))
