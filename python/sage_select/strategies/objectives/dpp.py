"""The ridge determinant: rows that span much."""

from __future__ import annotations

from sage_select import kernels
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.objectives.base import Found
from sage_select.strategies.standing import standing
from sage_select.strategies.wish import Wish

__all__ = ["dpp"]


def dpp(pool: Pool, wish: Wish, select: Select) -> Found:
    """Pick greedily for log det of diag(q) (X X' + dpp_eps I) diag(q) over S (Chen et al. 2018).

    `q` goes from 1/2 for the easiest row to 1 for the hardest, and is 1 without scores.
    """
    quality = None if pool.difficulty is None else (1 + standing(pool.difficulty)) / 2
    greedy = kernels.ridge_dpp(
        pool.need_matrix(),
        wish.count,
        quality=quality,
        eps=select.dpp_eps,
        **wish.terms,
        threads=pool.threads,
        progress=pool.progress,
    )
    return greedy, {}
