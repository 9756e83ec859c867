"""The random subsets that a selection is compared with, and the rows that samples are drawn from."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.evidence.comparison import Comparison
from sage_select.seeds import stage_key

__all__ = ["SUBSETS", "Sampler", "random_subsets"]

#: Random subsets that one hash gives.
SUBSETS: Final = 5


def random_subsets(comparison: Comparison) -> list[NDArray[np.int64]]:
    """Return random subsets of the rows that are not excluded, which take as much of the budget as the selection.

    A keyed hash places every row on a circle; five subsets are the rows that come first from five starts on it, a fifth
    of the circle apart. Each is as random as rows drawn by a hash of its own, which would cost as much again. More
    subsets have circles of their own: on one they would overlap too much to tell of noise.
    """
    rows = np.delete(np.arange(comparison.n), comparison.excluded) if len(comparison.excluded) else None
    found: list[NDArray[np.int64]] = []
    for circle in range(-(-comparison.subsets // SUBSETS)):
        hashes = comparison.hashes(stage_key(comparison.seed, f"evidence {circle + 1}" if circle else "evidence"))
        if rows is not None:
            hashes = hashes[rows]
        count = min(SUBSETS, comparison.subsets - len(found))
        starts = [np.uint64(at * (2**64 // count)) for at in range(count)]
        found += [_first(comparison, hashes - start, rows) for start in starts]
    return found


def _first(comparison: Comparison, hashes: NDArray[np.uint64], rows: NDArray[np.int64] | None) -> NDArray[np.int64]:
    count = len(comparison.picks) if comparison.costs is None else len(hashes)
    order = kernels.bottom_k_hashes(hashes, count, threads=comparison.threads)
    order = order if rows is None else rows[order]
    if comparison.costs is None:
        return order
    taken = np.cumsum(comparison.costs[order])
    fitting = np.searchsorted(taken, comparison.costs[comparison.picks].sum(), side="right")
    return order[: max(1, int(fitting))]


class Sampler:
    """Draws rows of any set by one keyed hash of their ids, another than that of the random subsets."""

    def __init__(self, comparison: Comparison) -> None:
        self._hashes = comparison.hashes(stage_key(comparison.seed, "evidence sample"))
        self._threads = comparison.threads

    def of_all(self, count: int) -> NDArray[np.int64]:
        """Return `count` rows, or all where there are fewer, in the order of the draw."""
        return kernels.bottom_k_hashes(self._hashes, min(count, len(self._hashes)), threads=self._threads)

    def of(self, rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """Return `count` of these rows, or all where there are fewer."""
        if len(rows) <= count:
            return rows
        return rows[kernels.bottom_k_hashes(self._hashes[rows], count, threads=self._threads)]
