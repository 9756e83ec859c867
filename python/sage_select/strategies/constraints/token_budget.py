"""A budget in tokens: rows are picked as long as they fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sage_select.errors import UsageError
from sage_select.kernels import Limits
from sage_select.strategies.constraints.constraints import Constraints
from sage_select.strategies.constraints.quotas import Counts, Members, even_bounds, stated_bounds
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest, cheapest

__all__ = ["token_budget"]


def token_budget(pool: Pool, constraints: Constraints, members: Members, budget: int) -> SelectionRequest:
    """Return the request for as many rows as fit into a number of tokens, those pinned included.

    A balanced quota has as many rows of each group as fit by their mean length: rows that turn out shorter leave tokens
    over.

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
    least = most = groups = None
    if constraints.quota is not None and pool.groups is not None:
        groups = pool.groups.of
        if constraints.quota.balanced:
            least, most = even_bounds(members, _fits_on_average(pool, groups, members, rows, budget - spent))
        else:
            least, most = stated_bounds(constraints.quota, members, clamp=constraints.clamp)
        _check_cheapest(pool, constraints, groups, rows, np.maximum(least - members.held, 0), budget - spent)
    # More than all rows cost together is as good as no budget, and may be more than 64 bits hold.
    limits = Limits(groups=groups, least=least, most=most, costs=lengths, budget=min(budget, int(lengths.sum())))
    mean = float(lengths[rows].mean()) if len(rows) else 1.0
    expected = min(len(rows), int((budget - spent) / max(mean, 1.0)))
    return SelectionRequest(len(rows), expected, pool.pinned, pool.excluded, limits, constraints.clamp)


def _check_room(pool: Pool, rows: NDArray[np.int64], left: int) -> None:
    """Refuse a budget that nothing fits into, where something was constraints for."""
    if pool.lengths is None or not len(rows) or left == 0 or len(pool.pinned):
        return
    shortest = int(rows[pool.lengths[rows].argmin()])
    if pool.lengths[shortest] > left:
        raise UsageError(
            "no row is short enough for the budget",
            expected=f"at least {pool.lengths[shortest]:,} tokens, for {pool.label(shortest)}, the shortest",
            got=f"{left:,}",
            hint="raise the budget",
        )


def _fits_on_average(
    pool: Pool, groups: Counts, members: Members, rows: NDArray[np.int64], left: int
) -> Callable[[Counts], bool]:
    """Return whether so many rows of each group, of its mean length, fit."""
    size = len(members.names)
    lengths = pool.lengths if pool.lengths is not None else np.empty(0, np.int64)
    free = members.there - members.held
    total = np.bincount(groups[rows], weights=lengths[rows], minlength=size)

    def fits(wanted: Counts) -> bool:
        # Rounded up, so that the cheapest rows of a group fit for certain where these do.
        cost = np.ceil(total * (wanted - members.held) / np.maximum(free, 1))
        return float(cost.sum()) <= left

    return fits


def _check_cheapest(
    pool: Pool, constraints: Constraints, groups: Counts, rows: NDArray[np.int64], need: Counts, left: int
) -> None:
    """Refuse a quota whose shortest rows are longer than the budget."""
    if pool.lengths is None or not need.any():
        return
    least = int(pool.lengths[cheapest(rows, groups, pool.lengths, need)].sum())
    if least > left:
        raise UsageError(
            f"quota {str(constraints.quota)!r} asks for more tokens than the budget has",
            expected=f"at least {least:,} tokens beside the pinned rows, for the shortest rows of each group",
            got=f"{left:,}",
            hint="raise the budget or lower the quota",
        )
