"""Diversity: rows that represent all others, lie far apart, are hard and unlike, or span much."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sage_select.columns import Reason
from sage_select.ops import Select
from sage_select.strategies.base import Picks, Pool
from sage_select.strategies.objectives import OBJECTIVES

__all__ = ["diverse_picks", "diversity"]


def diversity(pool: Pool, k: int, select: Select) -> Picks:
    """Pick `k` rows by the objective alone; `objectives` says what each maximises."""
    return diverse_picks(pool, k, select, np.empty(0, np.int64))


def diverse_picks(pool: Pool, k: int, select: Select, given: NDArray[np.int64]) -> Picks:
    """Pick `k` rows by the objective, aware of the rows `given` that are chosen already."""
    greedy, facts = OBJECTIVES[select.objective](pool, k, select, given)
    evidence = {"objective": select.objective, "objective_method": greedy.method, **facts}
    return Picks(greedy.indices, greedy.gains, ((Reason.DIVERSITY, len(greedy.indices)),), evidence)
