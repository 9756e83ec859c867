"""Reservoir: a uniform sample of all rows that were ever offered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.replay.policies.policy import policy
from sage_select.replay.policies.smallest import SmallestKeys
from sage_select.replay.rows import ReplayRows
from sage_select.seeds import stage_key

__all__ = ["Reservoir"]


@policy("reservoir", place=10, mergeable=True, leaves="sampled out")
class Reservoir(SmallestKeys):
    """A uniform sample of all distinct rows ever offered.

    The rows of the smallest hashes of seed and id (bottom-k sampling, Cohen and Kaplan 2007): whatever the order of the
    rows, however they are cut into updates, and from whichever buffers of parts they are merged, the same rows stay. A
    row counts once, however often it is offered. Of 10 million rows 19,000 enter a buffer of 2,048.
    """

    def admissible(self, offered: ReplayRows, state: Mapping[str, Any], seed: int) -> NDArray[np.int64] | None:
        """Return the offered rows whose hashes are no larger than the threshold: hashed and compared in one pass."""
        if (threshold := self.threshold(state)) is None:
            return None
        return np.sort(kernels.reservoir_of_words(_key(seed), offered.words, offered.n, threshold)[0])

    def keys(self, rows: ReplayRows, seed: int) -> NDArray[np.uint64]:
        """Return the hash of each row."""
        return rows.keyed(_key(seed))


def _key(seed: int) -> int:
    return stage_key(seed, "replay reservoir")
