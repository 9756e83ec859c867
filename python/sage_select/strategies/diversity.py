"""Diversity: rows that represent all others, lie far apart, are hard and unlike, or span much."""

from __future__ import annotations

from sage_select.columns import Reason
from sage_select.ops import Select
from sage_select.strategies.base import Picks, Pool
from sage_select.strategies.objectives import OBJECTIVES
from sage_select.strategies.wish import Wish

__all__ = ["diversity"]


def diversity(pool: Pool, wish: Wish, select: Select) -> Picks:
    """Pick by the objective, aware of the rows given; `objectives` says what each maximises."""
    greedy, facts = OBJECTIVES[select.objective](pool, wish, select)
    evidence = {"objective": select.objective, "objective_method": greedy.method, **facts}
    return Picks(greedy.indices, greedy.gains, ((Reason.DIVERSITY, len(greedy.indices)),), evidence)
