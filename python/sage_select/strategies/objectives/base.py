"""What an objective of diversity is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.ops import Select
from sage_select.strategies.base import Pool

__all__ = ["Found", "Objective", "standing"]

#: What was picked, and facts for the manifest.
Found = tuple[kernels.Greedy, Mapping[str, Any]]


class Objective(Protocol):
    """A rule that picks `k` rows, aware of the rows `given` that are chosen already."""

    def __call__(self, pool: Pool, k: int, select: Select, given: NDArray[np.int64], /) -> Found:
        """Return `k` picks, none of them given."""
        ...


def standing(difficulty: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the share of the other rows that are easier, from 0 to 1; equal rows stand alike."""
    easier = np.searchsorted(np.sort(difficulty), difficulty)
    return (easier / max(len(difficulty) - 1, 1)).astype(np.float32)
