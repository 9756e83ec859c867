"""A reservoir over row ids that are numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sage_select import _native
from sage_select.kernels import arrays
from sage_select.kernels.call import as_int, map_errors, resolve_threads

__all__ = ["reservoir_of_words"]


def reservoir_of_words(
    key: int, words: ArrayLike, k: int, threshold: int = 2**64 - 1, *, threads: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Return the rows of at most `k` words of smallest keyed hash, of those at or below the threshold.

    Parameters
    ----------
    key
        Unsigned 64-bit, as `sage_select.seeds.stage_key` makes it.
    words
        uint64, shape (n,): what each row is known by. A word that is there twice counts twice.
    k
        Rows to hold; all where there are fewer.
    threshold
        Unsigned 64-bit: the largest hash that is let in.

    Returns
    -------
    tuple of numpy.ndarray
        The rows, int64 (m,), and their hashes, uint64 (m,), by (hash, row) ascending.

    Raises
    ------
    UsageError
        `key`, `k` or `threshold` is out of range.
    DataError
        The words are not unsigned 64-bit numbers.

    Notes
    -----
    The hash of a word is ``mix(mix(word ^ K) + K)``, as `keyed_hashes` has it. Of n words k (1 + ln(n / k)) are
    looked at twice: O(n + k log k), 32 bytes for each of the k and thread.

    Examples
    --------
    >>> rows, _ = reservoir_of_words(42, np.arange(1000), 2)
    >>> rows.tolist()
    [642, 837]
    """
    values = arrays.as_arrow(arrays.integers(words, "words", np.uint64))
    largest = 2**64 - 1
    with map_errors():
        return _native.reservoir_of_words(
            as_int(key, "key", maximum=largest),
            values,
            as_int(k, "k"),
            as_int(threshold, "threshold", maximum=largest),
            resolve_threads(threads),
        )
