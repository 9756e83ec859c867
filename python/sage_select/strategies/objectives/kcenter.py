"""k-center: rows far from one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.objectives.base import Found

__all__ = ["kcenter"]


def kcenter(pool: Pool, k: int, _select: Select, given: NDArray[np.int64]) -> Found:
    """Pick farthest-first: at most twice the best radius (Gonzalez 1985)."""
    greedy = kernels.k_center(pool.need_matrix(), k, given=given, threads=pool.threads, progress=pool.progress)
    return greedy, {}
