"""Slots shared among groups as evenly as their sizes allow."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import as_int, map_errors

__all__ = ["water_fill"]


def water_fill(sizes: ArrayLike, total: int, order: ArrayLike) -> NDArray[np.int64]:
    """Return how many of `total` slots each group gets, where what small groups leave goes to the others.

    Parameters
    ----------
    sizes
        int64, shape (g,): rows of each group, from 0.
    total
        Slots there are, from 0.
    order
        uint64, shape (g,): who is first where slots remain, smallest first, such as the `keyed_hashes` of the groups'
        names; of equal ones the lower group.

    Returns
    -------
    numpy.ndarray
        int64, shape (g,), with the sum ``min(total, sum(sizes))``: ``min(size, level)`` with the level as high as there
        are slots for, and the slots that remain one each to groups above the level.

    Raises
    ------
    UsageError
        `total` is out of range, or the order has another length.
    DataError
        A size is negative (the first such group is named as a row), or the arrays do not hold whole numbers.

    Notes
    -----
    Max-min fairness by progressive filling (Bertsekas and Gallager, Data Networks, 6.5.2): the same as one slot at a
    time to the group with the fewest. As groups grow, the order being the same, no quota of another group rises, so
    that a buffer that gave up rows never wants them back. O(g log g).

    Examples
    --------
    >>> water_fill([2, 9, 9, 9], 12, [0, 3, 1, 2]).tolist()
    [2, 3, 4, 3]
    """
    counts = arrays.as_arrow(arrays.integers(sizes, "sizes", np.int64))
    ranks = arrays.as_arrow(arrays.integers(order, "order", np.uint64))
    with map_errors("sizes"):
        return _native.water_fill(counts, as_int(total, "total"), ranks)
