"""The one list of strategies, by name."""

from __future__ import annotations

from sage_select.columns import Reason
from sage_select.ops import Select
from sage_select.strategies.base import Picks, Pool, Strategy
from sage_select.strategies.constraints import check_kept, wish_of
from sage_select.strategies.diversity import diversity
from sage_select.strategies.hybrid import hybrid
from sage_select.strategies.loss_topk import loss_topk
from sage_select.strategies.random import random
from sage_select.strategies.target import target
from sage_select.strategies.threshold import threshold

__all__ = ["REGISTRY", "pick"]

REGISTRY: dict[str, Strategy] = {
    "random": random,
    "loss_topk": loss_topk,
    "diversity": diversity,
    "hybrid": hybrid,
    "target": target,
    "threshold": threshold,
}


def pick(pool: Pool, select: Select) -> Picks:
    """Pick the rows that `select` asks for: those pinned, then those of the strategy.

    Raises
    ------
    UsageError
        If the budget, the quota, and the rows pinned and excluded cannot all be kept, or the pool lacks scores or
        vectors the strategy needs.
    """
    select = select.chosen(scored=pool.difficulty is not None)
    wish = wish_of(pool, select)
    pinned = Picks.without_gains(pool.pinned, Reason.PINNED)
    picks = pinned.then(REGISTRY[select.strategy](pool, wish, select))
    check_kept(pool, wish, select, picks)
    return picks
