"""From the limits of a selection to what is left to pick."""

from __future__ import annotations

import numpy as np

from sage_select.errors import UsageError
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.constraints.in_rows import wish_in_rows
from sage_select.strategies.constraints.in_tokens import wish_in_tokens
from sage_select.strategies.constraints.quotas import Members
from sage_select.strategies.wish import Wish

__all__ = ["wish_of"]


def wish_of(pool: Pool, select: Select) -> Wish:
    """Return what is left to pick beside the rows pinned.

    Raises
    ------
    UsageError
        If the budget, the quota, and the rows pinned and excluded cannot all be kept: it says which two, and by how
        much.
    """
    both = np.intersect1d(pool.pinned, pool.excluded)
    if len(both):
        raise UsageError(
            f"{len(both):,} rows are pinned and excluded",
            where=pool.named(int(both[0])),
            hint="take each of them out of one of the two lists",
        )
    budget = select.budget
    if 0 < pool.n == len(pool.excluded) and (budget.share or budget.tokens):
        raise UsageError(f"all {pool.n:,} rows are excluded: there is nothing to pick", hint="exclude fewer rows")
    members = _members(pool)
    if select.budget.tokens is not None:
        return wish_in_tokens(pool, select, members, select.budget.tokens)
    return wish_in_rows(pool, select, members)


def _members(pool: Pool) -> Members:
    if pool.groups is None:
        return Members((), np.empty(0, np.int64), np.empty(0, np.int64))
    size = len(pool.groups.names)
    there = np.bincount(pool.groups.of, minlength=size) - np.bincount(pool.groups.of[pool.excluded], minlength=size)
    return Members(pool.groups.names, there, np.bincount(pool.groups.of[pool.pinned], minlength=size))
