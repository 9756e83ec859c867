"""Rows whose key a threshold admits."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import as_int, map_errors, resolve_threads

__all__ = ["within_threshold"]


def within_threshold(keys: ArrayLike, threshold: int, *, threads: int | None = None) -> NDArray[np.int64]:
    """Return the rows whose key is at or below the threshold, in row order.

    Parameters
    ----------
    keys
        uint64, shape (n,).
    threshold
        Unsigned 64-bit: as a rule the largest key that a full reservoir holds, or held when it was last full.

    Returns
    -------
    numpy.ndarray
        int64, shape (m,), ascending.

    Raises
    ------
    UsageError
        `threshold` is out of range.
    DataError
        The keys are not unsigned 64-bit numbers.

    Notes
    -----
    One look at each key without a branch that depends on it: O(n), and 12 bytes a row found.

    Examples
    --------
    >>> within_threshold(np.array([5, 1, 7, 9], np.uint64), 7).tolist()
    [0, 1, 2]
    """
    values = arrays.as_arrow(arrays.integers(keys, "keys", np.uint64))
    with map_errors():
        return _native.within_threshold(
            values, as_int(threshold, "threshold", maximum=2**64 - 1), resolve_threads(threads)
        )
