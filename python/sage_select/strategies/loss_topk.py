"""Loss top-k: the hardest rows first."""

from __future__ import annotations

from sage_select import kernels
from sage_select.columns import Reason
from sage_select.ops import Select
from sage_select.strategies.base import Picks, Pool

__all__ = ["loss_topk"]


def loss_topk(pool: Pool, k: int, _select: Select) -> Picks:
    """Pick the `k` hardest rows, by (difficulty descending, row ascending).

    On its own this rule mostly collects noise and outliers: at 326 thousand rows it scored 36.6 where a
    random subset scored 44.5 (Ivison et al. 2025, arXiv 2503.01807). Use it as the control that it is.
    """
    return Picks.without_gains(kernels.top_k(pool.need_difficulty(), k, threads=pool.threads), Reason.SCORE)
