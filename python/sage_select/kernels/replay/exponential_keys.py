"""Keys of a weighted reservoir."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import map_errors, resolve_threads

__all__ = ["exponential_keys"]


def exponential_keys(hashes: ArrayLike, weights: ArrayLike, *, threads: int | None = None) -> NDArray[np.uint64]:
    """Return keys of which the k smallest are a weighted sample without replacement.

    Parameters
    ----------
    hashes
        uint64, shape (n,), as `keyed_hashes` draws them.
    weights
        float64, shape (n,), from 1e-280 to 1e280: each next smallest key is that of row i with probability
        ``w[i]`` over the sum of the weights left. How likely a row is to be held at all is not proportional to that.

    Returns
    -------
    numpy.ndarray
        uint64, shape (n,): the rank ``-ln(u) / w``, ``u = ((hash >> 12) + 0.5) / 2**52``, as the bits of the float64,
        whose order is that of the ranks. ``keys.view(np.float64)`` are the ranks themselves.

    Raises
    ------
    UsageError
        There is another number of weights than hashes.
    DataError
        A weight is NaN or infinite, zero or below, or outside the range, in which ranks are neither 0 nor infinite (the
        first such row is named); the hashes are not unsigned 64-bit numbers.

    Notes
    -----
    The law of A-Res and A-ExpJ (Efraimidis and Spirakis, Information Processing Letters 97, 2006). The logarithm is
    that of the Rust crate libm, so that keys are the same bits on every machine. O(n), 8 bytes a row.

    Examples
    --------
    >>> hashes = np.array([2**63, 2**63, 2**62], np.uint64)
    >>> exponential_keys(hashes, [1.0, 2.0, 1.0]).view(np.float64).round(3).tolist()
    [0.693, 0.347, 1.386]
    """
    values = arrays.as_arrow(arrays.integers(hashes, "hashes", np.uint64))
    numbers = arrays.as_arrow(arrays.floats(weights, "weights").astype(np.float64, copy=False))
    with map_errors("weights"):
        return _native.exponential_keys(values, numbers, resolve_threads(threads))
