"""Herding: rows whose mean is that of all rows."""

from __future__ import annotations

from sage_select import kernels
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.objectives.base import Found
from sage_select.strategies.wish import Wish

__all__ = ["herding"]


def herding(pool: Pool, wish: Wish, _select: Select) -> Found:
    """Pick the row most like what the picks so far owe to the mean of all rows (Welling 2009)."""
    greedy = kernels.herding(pool.need_matrix(), wish.count, **wish.terms, threads=pool.threads, progress=pool.progress)
    return greedy, {}
