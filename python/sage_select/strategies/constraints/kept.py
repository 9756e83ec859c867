"""Whether picks keep the limits."""

from __future__ import annotations

import numpy as np

from sage_select.errors import UsageError
from sage_select.ops import Select
from sage_select.strategies.base import Picks, Pool
from sage_select.strategies.wish import Wish

__all__ = ["check_kept"]


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
