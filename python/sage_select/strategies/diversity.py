"""Diversity: rows that represent all others, or lie far from one another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.columns import Reason
from sage_select.ops import Select
from sage_select.strategies.base import Picks, Pool

__all__ = ["OBJECTIVES", "diverse_picks", "diversity"]

OBJECTIVES: dict[str, Callable[..., kernels.Greedy]] = {
    "facility": kernels.facility_location,
    "kcenter": kernels.k_center,
}


def diversity(pool: Pool, k: int, select: Select) -> Picks:
    """Pick `k` rows by the objective alone.

    `facility`: greedy facility location, f(S) = sum over rows i of max over s in S of max(0, sim(i, s)), at
    least 1 - 1/e of the best value (Nemhauser et al. 1978); exact on the dense similarities up to 20,000
    rows, above that on the graph of the 64 nearest neighbours. `kcenter`: farthest-first, at most twice the
    best radius (Gonzalez 1985).
    """
    return diverse_picks(pool, k, select, np.empty(0, np.int64))


def diverse_picks(pool: Pool, k: int, select: Select, given: NDArray[np.int64]) -> Picks:
    """Pick `k` rows by the objective, aware of the rows `given` that are chosen already."""
    greedy = OBJECTIVES[select.objective](
        pool.need_matrix(), k, given=given, threads=pool.threads, progress=pool.progress
    )
    evidence = {"objective": select.objective, "objective_method": greedy.method}
    return Picks(greedy.indices, greedy.gains, ((Reason.DIVERSITY, len(greedy.indices)),), evidence)
