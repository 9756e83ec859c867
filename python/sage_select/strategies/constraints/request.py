"""From the constraints of a selection to the request for the rows beside those pinned."""

from __future__ import annotations

import numpy as np

from sage_select.errors import UsageError
from sage_select.strategies.constraints.constraints import Constraints
from sage_select.strategies.constraints.quotas import Members
from sage_select.strategies.constraints.row_budget import row_budget
from sage_select.strategies.constraints.token_budget import token_budget
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["request_of"]


def request_of(pool: Pool, constraints: Constraints) -> SelectionRequest:
    """Return the request for the rows to pick beside those pinned.

    Raises
    ------
    UsageError
        If the budget, the quota, and the rows pinned and excluded cannot all hold: it says which two, and by how
        much.
    """
    both = np.intersect1d(pool.pinned, pool.excluded)
    if len(both):
        raise UsageError(
            f"{len(both):,} rows are pinned and excluded",
            where=pool.label(int(both[0])),
            hint="take each of them out of one of the two lists",
        )
    budget = constraints.budget
    if 0 < pool.n == len(pool.excluded) and (budget.share or budget.tokens):
        raise UsageError(f"all {pool.n:,} rows are excluded: there is nothing to pick", hint="exclude fewer rows")
    members = _members(pool)
    if constraints.budget.tokens is not None:
        return token_budget(pool, constraints, members, constraints.budget.tokens)
    return row_budget(pool, constraints, members)


def _members(pool: Pool) -> Members:
    if pool.groups is None:
        return Members((), np.empty(0, np.int64), np.empty(0, np.int64))
    size = len(pool.groups.names)
    available = np.bincount(pool.groups.of, minlength=size) - np.bincount(pool.groups.of[pool.excluded], minlength=size)
    return Members(pool.groups.names, available, np.bincount(pool.groups.of[pool.pinned], minlength=size))
