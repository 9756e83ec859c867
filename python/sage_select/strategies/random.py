"""Random: the rows with the smallest keyed hashes."""

from __future__ import annotations

from sage_select import kernels
from sage_select.columns import Reason
from sage_select.ops import Select
from sage_select.seeds import stage_key
from sage_select.strategies.base import Picks, Pool
from sage_select.strategies.wish import Wish

__all__ = ["random"]


def random(pool: Pool, wish: Wish, _select: Select) -> Picks:
    """Pick the rows with the smallest hash of (seed, row id).

    Independent of the order of rows, of shards and of threads, and nested: the picks of a smaller budget are
    the first picks of a larger one. Cost: one hash a row.
    """
    hashes = pool.hashes(stage_key(pool.seed, "random"))
    rows = kernels.bottom_k_hashes(hashes, wish.count if wish.is_plain else pool.n)
    return Picks.without_gains(kernels.in_order(pool.n, rows, wish.count, **wish.terms), Reason.RANDOM)
