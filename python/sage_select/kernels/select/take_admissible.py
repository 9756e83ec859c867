"""Picks by a ranking: the first rows of it that are admissible."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import as_int, map_errors
from sage_select.kernels.select.request import Request, native_request

__all__ = ["take_admissible"]


def take_admissible(n: int, order: ArrayLike, request: Request | int) -> NDArray[np.int64]:
    """Pick the first admissible rows of an order, as many as are requested.

    Parameters
    ----------
    n
        How many rows there are.
    order
        Whole numbers, shape (m,): the rows to examine, each at most once, the best first.
    request
        The maximum number of rows to pick, or a `Request`; preselected rows are passed over, and count for the limits.

    Returns
    -------
    numpy.ndarray
        int64: the rows picked, in order; fewer than requested where the order ends or the limits allow no more.

    Raises
    ------
    UsageError
        A request that does not fit; a row in the order is out of range or named twice.
    DataError
        The order does not hold whole numbers.

    Notes
    -----
    O(n + m).

    Examples
    --------
    >>> from sage_select.kernels import Limits
    >>> take_admissible(4, [3, 1, 0, 2], Request(2, excluded=[1])).tolist()
    [3, 0]
    >>> limits = Limits(groups=np.array([0, 0, 1, 1]), max_per_group=np.array([1, 1]))
    >>> take_admissible(4, [3, 2, 1, 0], Request(4, limits=limits)).tolist()
    [3, 1]
    """
    numbers = arrays.row_numbers(order, "order")
    with map_errors():
        return _native.take_admissible(as_int(n, "n"), numbers, native_request(request))
