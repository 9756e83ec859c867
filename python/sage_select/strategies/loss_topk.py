"""Loss top-k: by score alone."""

from __future__ import annotations

from sage_select.ops import Select
from sage_select.strategies.base import Picks, Pool
from sage_select.strategies.by_score import by_score
from sage_select.strategies.wish import Wish

__all__ = ["loss_topk"]


def loss_topk(pool: Pool, wish: Wish, select: Select) -> Picks:
    """Pick by score alone, the hardest rows where nothing else is asked for.

    On its own this rule mostly collects noise and outliers: at 326 thousand rows it scored 36.6 where a
    random subset scored 44.5 (Ivison et al. 2025, arXiv 2503.01807). Use it as the control that it is.
    """
    return by_score(pool, wish, select)
