"""D2 sampling: rows drawn by their squared distance to those before."""

from __future__ import annotations

from sage_select import kernels
from sage_select.ops import Select
from sage_select.seeds import stage_key
from sage_select.strategies.base import Pool
from sage_select.strategies.objectives.base import Found
from sage_select.strategies.wish import Wish

__all__ = ["d2"]


def d2(pool: Pool, wish: Wish, _select: Select) -> Found:
    """Draw rows as k-means++ is seeded: sum of squared distances within 8 (ln k + 2) of the best k (2007), expected.

    Draws fall on the rows by the keyed hashes of their ids, so that the same rows are drawn wherever they stand; rows
    without ids are known by their numbers.
    """
    greedy = kernels.d2(
        pool.need_matrix(),
        wish.count,
        key=stage_key(pool.seed, "d2"),
        order=pool.draw_order("d2"),
        **wish.terms,
        threads=pool.threads,
        progress=pool.progress,
    )
    return greedy, {}
