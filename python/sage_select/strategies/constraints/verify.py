"""Whether picks keep the limits."""

from __future__ import annotations

import numpy as np

from sage_select.errors import UsageError
from sage_select.strategies.constraints.constraints import Constraints
from sage_select.strategies.picks import Picks
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["verify_picks"]


def verify_picks(pool: Pool, request: SelectionRequest, constraints: Constraints, picks: Picks, label: str) -> None:
    """Refuse a selection that breaks a limit: what a strategy passes over may leave a group with too few rows.

    `label` is what messages call the strategy.
    """
    rows = picks.indices
    limits = request.limits
    if limits is None or limits.groups is None or limits.least is None or pool.groups is None:
        return
    held = np.bincount(limits.groups[rows], minlength=len(limits.least))
    short = np.flatnonzero(held < limits.least)
    if len(short):
        group = int(short[0])
        raise UsageError(
            f"{label} cannot keep the quota {str(constraints.quota)!r}",
            expected=f"at least {limits.least[group]:,} rows of {pool.groups.names[group]!r}",
            got=f"{held[group]:,} that the strategy picks",
            hint="lower the quota, or let the strategy pass over fewer rows",
        )
