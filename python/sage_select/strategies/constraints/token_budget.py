"""A budget in tokens: rows are picked as long as they fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sage_select.errors import UsageError
from sage_select.kernels import Limits
from sage_select.strategies.constraints.constraints import Constraints
from sage_select.strategies.constraints.quotas import Counts, Members, balanced_bounds, explicit_bounds
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest, cheapest

__all__ = ["token_budget"]


def token_budget(pool: Pool, constraints: Constraints, members: Members, budget: int) -> SelectionRequest:
    """Return the request for as many rows as fit into a number of tokens, those pinned included.

    A balanced quota has as many rows of each group as fit by their mean length: where the rows picked are shorter,
    tokens remain.

    Raises
    ------
    UsageError
        If nothing fits, or the pinned rows, the quota and the budget do not go together.
    """
    if pool.lengths is None:
        raise UsageError("a budget in tokens needs the rows' words", hint="pass data, or a budget in rows")
    lengths = pool.lengths
    spent = int(lengths[pool.pinned].sum())
    if spent > budget:
        raise UsageError(
            "the pinned rows are longer than the budget",
            expected=f"a budget of at least {spent:,} tokens",
            got=f"{budget:,}",
            hint="raise the budget, or pin fewer rows",
        )
    rows = SelectionRequest(0, 0, pool.pinned, pool.excluded).candidates(pool.n)
    _check_room(pool, rows, budget - spent)
    minimum = maximum = groups = None
    if constraints.quota is not None and pool.groups is not None:
        groups = pool.groups.of
        if constraints.quota.balanced:
            minimum, maximum = balanced_bounds(members, _fits_on_average(pool, groups, members, rows, budget - spent))
        else:
            minimum, maximum = explicit_bounds(constraints.quota, members, clamp=constraints.clamp)
        _check_cheapest(pool, constraints, groups, rows, np.maximum(minimum - members.pinned, 0), budget - spent)
    # More than all rows cost together is as good as no budget, and may be more than 64 bits hold.
    limits = Limits(
        groups=groups,
        min_per_group=minimum,
        max_per_group=maximum,
        costs=lengths,
        budget=min(budget, int(lengths.sum())),
    )
    mean = float(lengths[rows].mean()) if len(rows) else 1.0
    expected = min(len(rows), int((budget - spent) / max(mean, 1.0)))
    return SelectionRequest(len(rows), expected, pool.pinned, pool.excluded, limits, constraints.clamp)


def _check_room(pool: Pool, rows: NDArray[np.int64], remaining: int) -> None:
    """Refuse a budget that no row fits into, unless it is used up by pinned rows."""
    if pool.lengths is None or not len(rows) or remaining == 0 or len(pool.pinned):
        return
    shortest = int(rows[pool.lengths[rows].argmin()])
    if pool.lengths[shortest] > remaining:
        raise UsageError(
            "no row is short enough for the budget",
            expected=f"at least {pool.lengths[shortest]:,} tokens, for {pool.label(shortest)}, the shortest",
            got=f"{remaining:,}",
            hint="raise the budget",
        )


def _fits_on_average(
    pool: Pool, groups: Counts, members: Members, rows: NDArray[np.int64], remaining: int
) -> Callable[[Counts], bool]:
    """Return whether so many rows of each group, of its mean length, fit."""
    size = len(members.names)
    lengths = pool.lengths if pool.lengths is not None else np.empty(0, np.int64)
    free = members.available - members.pinned
    total = np.bincount(groups[rows], weights=lengths[rows], minlength=size)

    def fits(wanted: Counts) -> bool:
        # Rounded up, so that the cheapest rows of a group fit for certain where these do.
        cost = np.ceil(total * (wanted - members.pinned) / np.maximum(free, 1))
        return float(cost.sum()) <= remaining

    return fits


def _check_cheapest(
    pool: Pool, constraints: Constraints, groups: Counts, rows: NDArray[np.int64], need: Counts, remaining: int
) -> None:
    """Refuse a quota whose shortest rows are longer than the budget."""
    if pool.lengths is None or not need.any():
        return
    needed = int(pool.lengths[cheapest(rows, groups, pool.lengths, need)].sum())
    if needed > remaining:
        raise UsageError(
            f"quota {str(constraints.quota)!r} asks for more tokens than the budget has",
            expected=f"at least {needed:,} tokens beside the pinned rows, for the shortest rows of each group",
            got=f"{remaining:,}",
            hint="raise the budget or lower the quota",
        )
