"""The rows of the smallest keys, with the threshold that says which rows can never have been missed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.replay.policies.policy import Candidates, Membership, Policy
from sage_select.replay.rows import ReplayRows

__all__ = ["SmallestKeys"]

_ALL: Final = 2**64 - 1


class SmallestKeys(Policy):
    """A rule that retains the rows of the smallest keys, a key being a function of the row and the seed alone.

    The state is a threshold: the largest key that stayed when rows left. Once rows are deleted, others come in below it
    alone, so that what is there is still a sample of all rows (random pairing, Gemulla, Lehner and Haas 2006, in the
    form that hashing has).
    """

    @abstractmethod
    def keys(self, rows: ReplayRows, seed: int) -> NDArray[np.uint64]:
        """Return the key of each row, uint64 (n,)."""

    def admissible(self, offered: ReplayRows, state: Mapping[str, Any], seed: int) -> NDArray[np.int64] | None:
        """Return the offered rows whose keys are no larger than the threshold."""
        threshold = self.threshold(state)
        return None if threshold is None else kernels.within_threshold(self.keys(offered, seed), threshold)

    @staticmethod
    def threshold(state: Mapping[str, Any]) -> int | None:
        """Return the largest key that may come in; None where any may."""
        threshold = int(state.get("threshold", _ALL))
        return None if threshold == _ALL else threshold

    def keep(self, candidates: Candidates) -> Membership:
        """Return the rows of the smallest keys; of equal keys the one of the smaller id."""
        state, capacity = dict(candidates.state), candidates.capacity
        if candidates.n <= capacity:
            return Membership(np.arange(candidates.n), state)
        keys = np.concatenate([self.keys(rows, candidates.seed) for rows in (candidates.there, candidates.offered)])
        last = np.partition(keys, capacity - 1)[capacity - 1]
        smallest = np.flatnonzero(keys <= last)
        if len(smallest) > capacity:  # ids decide, and not which row came first
            smallest = np.sort(kernels.smallest_keys(keys, capacity, candidates.rows.ids))
        return Membership(smallest, {**state, "threshold": str(last)})

    def merged_state(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the smaller threshold: above it one of the streams may have lost rows."""
        thresholds = [int(state.get("threshold", _ALL)) for state in (one, other)]
        return {"threshold": str(min(thresholds))} if min(thresholds) < _ALL else {}
