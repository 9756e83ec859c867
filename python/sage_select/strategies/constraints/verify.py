"""Whether picks keep the limits."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sage_select.errors import UsageError
from sage_select.kernels import Limits
from sage_select.strategies.constraints.constraints import Constraints
from sage_select.strategies.picks import Picks
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["check_picks", "verify_picks"]

_WHOSE: Final = "this is a fault of the rule itself: whoever wrote it should know"


def verify_picks(pool: Pool, request: SelectionRequest, constraints: Constraints, picks: Picks, label: str) -> None:
    """Refuse a selection that breaks a limit: what a strategy passes over may leave a group with too few rows.

    `label` is what messages call the strategy.
    """
    rows = picks.indices
    limits = request.limits
    _verify_groups(pool, limits, constraints, rows, label)
    if request.is_exact and not request.clamp and len(rows) - len(pool.pinned) < request.count:
        raise UsageError(
            f"{label} picked too few rows",
            expected=f"{request.count:,} beside the pinned ones",
            got=f"{len(rows) - len(pool.pinned):,}",
            hint=_WHOSE,
        )


def _verify_groups(
    pool: Pool, limits: Limits | None, constraints: Constraints, rows: NDArray[np.int64], label: str
) -> None:
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


def check_picks(picks: Picks, request: SelectionRequest, n: int, label: str) -> None:
    """Refuse picks that are not what was asked for, whoever wrote the rule: nothing wrong is ever written.

    Parameters
    ----------
    picks
        What the rule returned.
    request
        What it was asked for.
    n
        Rows of the pool.
    label
        What messages call the rule.

    Raises
    ------
    UsageError
        If it is no picks, or their rows are not int64 numbers below `n`, one stands twice, is preselected or excluded,
        there are more than asked for, or they cost more than the budget; or gains or reasons do not fit them.
    """
    wrong = _what_is_wrong(picks, request, n)
    if wrong is not None:
        raise UsageError(
            f"{label} did not pick what it was asked for: {wrong}",
            expected=f"at most {request.count:,} rows, each once",
            hint=_WHOSE,
        )


def _what_is_wrong(picks: Picks, request: SelectionRequest, n: int) -> str | None:
    if not isinstance(picks, Picks):
        return f"it returned {type(picks).__name__}"
    rows = picks.indices
    if not isinstance(rows, np.ndarray) or rows.dtype != np.int64 or rows.ndim != 1:
        return f"rows are no one-dimensional int64 array, but {getattr(rows, 'dtype', type(rows).__name__)}"
    if len(rows) and (rows.min() < 0 or rows.max() >= n):
        return f"a row that there is not, of {n:,}"
    taken = np.zeros(n, np.bool_)
    taken[request.preselected] = taken[request.excluded] = True
    if taken[rows].any():
        return f"row {rows[taken[rows]][0]}, which is pinned, picked before, or excluded"
    before = np.count_nonzero(taken)
    taken[rows] = True
    if np.count_nonzero(taken) - before != len(rows):
        return "a row twice"
    if len(rows) > request.count:
        return f"{len(rows):,} rows"
    limits = request.limits
    if limits is not None and limits.costs is not None:
        spent = int(limits.costs[rows].sum() + limits.costs[request.preselected].sum())
        if spent > limits.budget:
            return f"rows of {spent:,} tokens, of {limits.budget:,}"
    if len(picks.gains) != len(rows) or sum(count for _, count in picks.reasons) != len(rows):
        return "gains or reasons of another number of rows"
    return None
