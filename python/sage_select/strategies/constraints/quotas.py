"""From a quota to the minimum and the maximum number of rows of each group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sage_select.errors import UsageError
from sage_select.values.quota import Quota

__all__ = ["Counts", "Members", "balanced_bounds", "explicit_bounds"]

Counts = NDArray[np.int64]

#: How many groups a message names.
_NAMED = 3


@dataclass(frozen=True)
class Members:
    """How many rows of each group there are.

    Attributes
    ----------
    names
        The groups.
    available
        Rows that are not excluded.
    pinned
        Those of them that are pinned.
    """

    names: tuple[str, ...]
    available: Counts
    pinned: Counts


def explicit_bounds(quota: Quota, members: Members, *, clamp: bool) -> tuple[Counts, Counts]:
    """Return the minimum and the maximum number of rows of each group where the quota says so.

    Raises
    ------
    UsageError
        If a group has too few rows, unless `clamp`, or too many pinned ones.
    """
    minimum = np.full(len(members.names), quota.minimum or 0, np.int64)
    maximum = members.available if quota.maximum is None else np.full(len(members.names), quota.maximum, np.int64)
    if clamp:
        minimum = np.minimum(minimum, members.available)
    few = np.flatnonzero(members.available < minimum)
    if len(few):
        raise UsageError(
            f"quota {str(quota)!r}: {_listed(members.names, members.available, few)}",
            expected=f"at least {quota.minimum:,} rows of each {quota.column!r} to choose from",
            hint="lower the quota, exclude fewer rows, or pass --clamp (clamp=True) to take those there are",
        )
    many = np.flatnonzero(members.pinned > maximum)
    if len(many):
        raise UsageError(
            f"quota {str(quota)!r} and the pinned rows contradict each other: "
            f"{_listed(members.names, members.pinned, many)} pinned",
            expected=f"at most {quota.maximum:,} rows of each {quota.column!r}",
            hint="raise the quota, or pin fewer of these rows",
        )
    return minimum, maximum


def balanced_bounds(members: Members, fits: Callable[[Counts], bool]) -> tuple[Counts, Counts]:
    """Return the bounds of a balanced selection: all groups at one level, or one row above it.

    A group that has fewer rows gives all, and one with more pinned rows has those; the level is the highest at which
    `fits`, of the number of rows of each group, is still true.
    """

    def at(level: int) -> Counts:
        return np.maximum(members.pinned, np.minimum(members.available, level))

    low, high = 0, int(members.available.max(initial=0))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(at(middle)) else (low, middle - 1)
    return at(low), at(low + 1)


def _listed(names: tuple[str, ...], counts: Counts, which: NDArray[np.int64]) -> str:
    """Return the first of some groups with their counts, in words."""
    said = [f"{names[group]!r} has {counts[group]:,}" for group in which[:_NAMED]]
    return ", ".join(said) + (f" and {len(which) - _NAMED:,} more groups" if len(which) > _NAMED else "")
