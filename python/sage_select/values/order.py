"""How much two orders agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["kendall_tau"]


def kendall_tau(values: NDArray[np.int64]) -> float | None:
    """Return Kendall's tau of values and their places 0, 1, 2, ...; None where no two values differ.

    It is over the pairs that both orders tell apart: (concordant - discordant) / (concordant + discordant), which
    for a permutation is the tau of all pairs (for ties: Goodman and Kruskal's gamma).

    Parameters
    ----------
    values
        Ranks, 0 or more; shape (n,). Pairs of equal ones do not count.

    Notes
    -----
    Cost: O(n log^2 n), O(n) where the values rise. Source: Kendall 1938, Goodman and Kruskal 1954; inversions are
    counted bit by bit, as a radix sort meets them.

    Examples
    --------
    >>> kendall_tau(np.array([0, 1, 2])), kendall_tau(np.array([2, 1, 0])), kendall_tau(np.array([0]))
    (1.0, -1.0, None)
    >>> kendall_tau(np.array([0, 0, 1])), kendall_tau(np.array([3, 3]))
    (1.0, None)
    """
    left = np.asarray(values, np.int64)
    n = len(left)
    if n < 2:
        return None
    equal = np.unique(left, return_counts=True)[1]
    pairs = n * (n - 1) // 2 - sum(int(count) * (int(count) - 1) // 2 for count in equal[equal > 1])
    if not pairs:
        return None
    if bool((left[1:] >= left[:-1]).all()):
        return 1.0
    inversions = 0
    for shift in reversed(range(max(1, int(left.max()).bit_length()))):
        above = left >> (shift + 1)
        ones = (left >> shift) & 1
        before = np.cumsum(ones) - ones
        starts = np.flatnonzero(np.r_[True, above[1:] != above[:-1]])
        lengths = np.diff(np.r_[starts, n])
        inversions += int((before - np.repeat(before[starts], lengths))[ones == 0].sum())
        left = left[np.argsort(left >> shift, kind="stable")]
    return 1.0 - 2.0 * inversions / pairs
