"""Herding: rows whose mean is that of all rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.objectives.base import Found

__all__ = ["herding"]


def herding(pool: Pool, k: int, _select: Select, given: NDArray[np.int64]) -> Found:
    """Pick the row most like what the picks so far owe to the mean of all rows (Welling 2009)."""
    greedy = kernels.herding(pool.need_matrix(), k, given=given, threads=pool.threads, progress=pool.progress)
    return greedy, {}
