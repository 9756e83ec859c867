"""Whether picks are within the limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select.data import Scores
from sage_select.declare.faults import fault
from sage_select.declare.settings import Settings
from sage_select.errors import UsageError
from sage_select.kernels import Limits
from sage_select.strategies.constraints.constraints import Constraints
from sage_select.strategies.picks import Picks
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["check_picks", "verify_picks"]

#: Characters of a reason.
_LONGEST: Final = 60


def verify_picks(pool: Pool, request: SelectionRequest, constraints: Constraints, picks: Picks, rule: Settings) -> None:
    """Refuse a selection that breaks a limit: what a strategy passes over may leave a group with too few rows.

    Parameters
    ----------
    pool, request, constraints
        What there was to pick from, and what was asked for.
    picks
        All rows that were picked, the pinned ones first.
    rule
        Whose picks they are.

    Raises
    ------
    UsageError
        If a group has too few rows.
    ResourceError
        If there are too few in all: a fault of the rule.
    """
    rows = picks.indices
    limits = request.limits
    _verify_groups(pool, limits, constraints, rows, rule.label)
    if request.is_exact and not request.clamp and len(rows) - len(pool.pinned) < request.count:
        expected = f"{request.count:,} beside the pinned ones"
        raise fault(rule, "picked too few rows", expected=expected, got=f"{len(rows) - len(pool.pinned):,}")


def _verify_groups(
    pool: Pool, limits: Limits | None, constraints: Constraints, rows: NDArray[np.int64], label: str
) -> None:
    if limits is None or limits.groups is None or limits.min_per_group is None or pool.groups is None:
        return
    counts = np.bincount(limits.groups[rows], minlength=len(limits.min_per_group))
    short = np.flatnonzero(counts < limits.min_per_group)
    if len(short):
        group = int(short[0])
        raise UsageError(
            f"{label} cannot keep the quota {str(constraints.quota)!r}",
            expected=f"at least {limits.min_per_group[group]:,} rows of {pool.groups.names[group]!r}",
            got=f"{counts[group]:,} that the strategy picks",
            hint="lower the quota, or let the strategy pass over fewer rows",
        )


def check_picks(picks: Picks, request: SelectionRequest, n: int, rule: Settings) -> None:
    """Refuse picks that are not what was asked for, whoever wrote the rule: nothing wrong is ever written.

    Parameters
    ----------
    picks
        What the rule returned.
    request
        What was requested of it.
    n
        Rows of the pool.
    rule
        Whose picks they are.

    Raises
    ------
    ResourceError
        If it is no picks, or their rows are not int64 numbers below `n`, one stands twice, is preselected or excluded,
        there are more than asked for, or they cost more than the budget; or gains, reasons, evidence or regions are
        none of these rows: a fault of the rule.
    """
    wrong = _what_is_wrong(picks, request, n) or _what_is_wrong_beside_them(picks, n)
    if wrong is not None:
        expected = f"Picks of at most {request.count:,} rows, each once, with a gain and a reason for each"
        raise fault(rule, "did not pick what it was asked for", expected=expected, got=wrong)


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
    return None


def _what_is_wrong_beside_them(picks: Picks, n: int) -> str | None:
    gains, regions, k = picks.gains, picks.regions, len(picks.indices)
    if not isinstance(gains, np.ndarray) or gains.shape != (k,) or gains.dtype.kind != "f" or np.isinf(gains).any():
        return f"gains that are no array of {k:,} floats, finite or NaN"
    if not isinstance(picks.reasons, tuple | list) or not all(_is_reason(one) for one in picks.reasons):
        return f"reasons that are no pairs of a short text and how many rows have it: {str(picks.reasons)[:_LONGEST]}"
    if sum(count for _, count in picks.reasons) != k:
        return f"reasons of {sum(count for _, count in picks.reasons):,} rows, of {k:,}"
    if not isinstance(picks.evidence, Mapping):
        return f"evidence that is no mapping, but {type(picks.evidence).__name__}"
    scores = picks.scores
    if scores is not None and (not isinstance(scores, Scores) or scores.values.shape != (n,)):
        return f"scores that are no Scores of {n:,} rows"
    whole = regions is None or (
        isinstance(regions, np.ndarray) and regions.shape == (n,) and regions.dtype.kind in "iu"
    )
    return None if whole else f"regions that are no array of {n:,} whole numbers"


def _is_reason(value: Any) -> bool:
    if not isinstance(value, tuple) or len(value) != 2 or not isinstance(value[0], str):
        return False
    return 0 < len(value[0].strip()) <= _LONGEST and isinstance(value[1], int | np.integer) and bool(value[1] >= 0)
