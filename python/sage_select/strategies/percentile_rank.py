"""The percentile rank of rows by score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["percentile_rank"]


def percentile_rank(difficulty: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the share of the other rows that are easier, from 0 to 1; equal rows have equal ranks."""
    easier = np.searchsorted(np.sort(difficulty), difficulty)
    return (easier / max(len(difficulty) - 1, 1)).astype(np.float32)
