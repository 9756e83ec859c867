"""Threshold: by score, without what is too near to a row picked before."""

from __future__ import annotations

from sage_select import kernels
from sage_select.columns import Reason
from sage_select.errors import UsageError
from sage_select.ops import Select
from sage_select.strategies.base import Picks, Pool
from sage_select.strategies.wish import Wish

__all__ = ["threshold"]


def threshold(pool: Pool, wish: Wish, select: Select) -> Picks:
    """Walk from the hardest row to the easiest and pick each that is far enough from all picked before.

    The rule of DEITA (Liu et al. 2024, arXiv 2312.15685), which takes similarities from 0.9 on for too near.

    Raises
    ------
    UsageError
        If too few rows are far enough apart.
    """
    order = kernels.top_k(pool.need_difficulty(), pool.n, threads=pool.threads)
    found = kernels.threshold_filter(
        pool.need_matrix(),
        order,
        wish.count,
        threshold=select.near,
        **wish.terms,
        threads=pool.threads,
        progress=pool.progress,
    )
    exact = wish.limits is None or wish.limits.costs is None
    if exact and len(found.indices) < wish.count and not select.clamp:
        raise UsageError(
            f"too few rows are farther from each other than the threshold {select.near:g}",
            expected=f"{wish.count:,} rows",
            got=f"{len(found.indices):,}: {found.too_near:,} are too near to one of them",
            hint="move --threshold, lower the budget, or pass --clamp (clamp=True) to take those there are",
        )
    return Picks(
        found.indices,
        found.gains,
        ((Reason.SCORE, len(found.indices)),),
        {"too_near": found.too_near, "looked_at": found.looked_at},
    )
