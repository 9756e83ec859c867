"""What a selection must keep: its budget, its quota, the rows pinned and those excluded, all at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sage_select.errors import UsageError
from sage_select.kernels import Limits
from sage_select.ops import Select
from sage_select.strategies.base import Picks, Pool
from sage_select.strategies.quotas import Counts, Members, even_bounds, stated_bounds
from sage_select.strategies.wish import Wish, cheapest

__all__ = ["check_kept", "wish_of"]


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
    members = _members(pool)
    if select.budget.tokens is not None:
        return _within_tokens(pool, select, members, select.budget.tokens)
    budget = select.budget.rows(pool.n - len(pool.excluded), clamp=select.clamp)
    if len(pool.pinned) > budget:
        raise UsageError(
            f"the {len(pool.pinned):,} pinned rows are more than the budget",
            expected=f"at most {budget:,} pinned rows",
            got=f"{len(pool.pinned):,}",
            hint=f"raise the budget to at least {len(pool.pinned):,} rows, or pin fewer",
        )
    count = budget - len(pool.pinned)
    if select.quota is None or pool.groups is None:
        return Wish(count, count, pool.pinned, pool.excluded)
    if select.quota.balanced:
        least, most = even_bounds(members, lambda rows: int(rows.sum()) <= budget)
    else:
        least, most = stated_bounds(select.quota, members, clamp=select.clamp)
    needed = int(np.maximum(least - members.held, 0).sum())
    if needed > count:
        raise UsageError(
            f"quota {str(select.quota)!r} asks for more rows than the budget has",
            expected=f"a budget of at least {needed + len(pool.pinned):,} rows",
            got=f"{budget:,}: {len(pool.pinned):,} pinned and {count:,} more",
            hint="raise the budget or lower the quota",
        )
    possible = int(np.maximum(np.minimum(most, members.there) - members.held, 0).sum())
    if possible < count and not select.clamp:
        raise UsageError(
            f"quota {str(select.quota)!r} allows fewer rows than the budget asks for",
            expected=f"a budget of at most {possible + len(pool.pinned):,} rows",
            got=f"{budget:,}",
            hint="lower the budget, raise the quota, or pass --clamp (clamp=True) to take those it allows",
        )
    count = min(count, possible)
    limits = Limits(rows=count + len(pool.pinned), groups=pool.groups.of, least=least, most=most)
    return Wish(count, count, pool.pinned, pool.excluded, limits)


def check_kept(pool: Pool, wish: Wish, select: Select, picks: Picks) -> None:
    """Refuse a selection that breaks a limit: what a strategy passes over may leave a group with too few rows."""
    rows = picks.indices
    limits = wish.limits
    if limits is None or limits.groups is None or limits.least is None or pool.groups is None:
        return
    held = np.bincount(limits.groups[rows], minlength=len(limits.least))
    short = np.flatnonzero(held < limits.least)
    if len(short):
        group = int(short[0])
        raise UsageError(
            f"strategy {select.strategy!r} cannot keep the quota {str(select.quota)!r}",
            expected=f"at least {limits.least[group]:,} rows of {pool.groups.names[group]!r}",
            got=f"{held[group]:,} that the strategy picks",
            hint="lower the quota, or let the strategy pass over fewer rows",
        )


def _members(pool: Pool) -> Members:
    if pool.groups is None:
        return Members((), np.empty(0, np.int64), np.empty(0, np.int64))
    size = len(pool.groups.names)
    there = np.bincount(pool.groups.of, minlength=size) - np.bincount(pool.groups.of[pool.excluded], minlength=size)
    return Members(pool.groups.names, there, np.bincount(pool.groups.of[pool.pinned], minlength=size))


def _within_tokens(pool: Pool, select: Select, members: Members, budget: int) -> Wish:
    """Return the wish for as many rows as fit into a number of tokens."""
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
