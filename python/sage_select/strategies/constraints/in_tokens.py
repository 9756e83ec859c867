"""A budget in tokens: rows are picked as long as they fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sage_select.errors import UsageError
from sage_select.kernels import Limits
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.constraints.quotas import Counts, Members, even_bounds, stated_bounds
from sage_select.strategies.wish import Wish, cheapest

__all__ = ["wish_in_tokens"]


def wish_in_tokens(pool: Pool, select: Select, members: Members, budget: int) -> Wish:
    """Return the wish for as many rows as fit into a number of tokens, those pinned included.

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
    rows = Wish(0, 0, pool.pinned, pool.excluded).open(pool.n)
    _check_room(pool, rows, budget - spent)
    least = most = groups = None
    if select.quota is not None and pool.groups is not None:
        groups = pool.groups.of
        if select.quota.balanced:
            least, most = even_bounds(members, _fits_on_average(pool, groups, members, rows, budget - spent))
        else:
            least, most = stated_bounds(select.quota, members, clamp=select.clamp)
        _check_cheapest(pool, select, groups, rows, np.maximum(least - members.held, 0), budget - spent)
    # More than all rows cost together is as good as no budget, and may be more than 64 bits hold.
    limits = Limits(groups=groups, least=least, most=most, costs=lengths, budget=min(budget, int(lengths.sum())))
    mean = float(lengths[rows].mean()) if len(rows) else 1.0
    expected = min(len(rows), int((budget - spent) / max(mean, 1.0)))
    return Wish(len(rows), expected, pool.pinned, pool.excluded, limits)


def _check_room(pool: Pool, rows: NDArray[np.int64], left: int) -> None:
    """Refuse a budget that nothing fits into, where something was asked for."""
    if pool.lengths is None or not len(rows) or left == 0 or len(pool.pinned):
        return
    shortest = int(rows[pool.lengths[rows].argmin()])
    if pool.lengths[shortest] > left:
        raise UsageError(
            "no row is short enough for the budget",
            expected=f"at least {pool.lengths[shortest]:,} tokens, for {pool.named(shortest)}, the shortest",
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
    pool: Pool, select: Select, groups: Counts, rows: NDArray[np.int64], need: Counts, left: int
) -> None:
    """Refuse a quota whose shortest rows are longer than the budget."""
    if pool.lengths is None or not need.any():
        return
    least = int(pool.lengths[cheapest(rows, groups, pool.lengths, need)].sum())
    if least > left:
        raise UsageError(
            f"quota {str(select.quota)!r} asks for more tokens than the budget has",
            expected=f"at least {least:,} tokens beside the pinned rows, for the shortest rows of each group",
            got=f"{left:,}",
            hint="raise the budget or lower the quota",
        )
