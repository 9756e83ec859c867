"""The one list of strategies, by name."""

from __future__ import annotations

from sage_select.ops import Select
from sage_select.strategies.base import Picks, Pool, Strategy
from sage_select.strategies.diversity import diversity
from sage_select.strategies.hybrid import hybrid
from sage_select.strategies.loss_topk import loss_topk
from sage_select.strategies.random import random

__all__ = ["REGISTRY", "pick"]

REGISTRY: dict[str, Strategy] = {
    "random": random,
    "loss_topk": loss_topk,
    "diversity": diversity,
    "hybrid": hybrid,
}


def pick(pool: Pool, select: Select) -> Picks:
    """Pick the rows that `select` asks for.

    Raises
    ------
    UsageError
        If the budget is more than the pool, or the pool lacks scores or vectors the strategy needs.
    """
    return REGISTRY[select.strategy](pool, select.budget.rows(pool.n, clamp=select.clamp), select)
