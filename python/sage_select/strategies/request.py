"""What is to be picked: how many rows, after which, without which, and within which limits."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from sage_select.kernels import Limits, Request

__all__ = ["SelectionRequest", "cheapest", "rounded_share"]

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class SelectionRequest:
    """A request for rows, or for a part of them.

    Attributes
    ----------
    count
        How many rows to pick: exactly so many, or at most where `limits` have costs.
    expected
        About how many rows that will be.
    preselected
        Rows that are selected already, and count for the objective and the limits.
    excluded
        Rows that are not picked.
    limits
        What the whole selection may hold, the rows preselected included; None for no limits.
    clamp
        Whether fewer rows are enough, where a rule passes over so many that there are not as many.
    """

    count: int
    expected: int
    preselected: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    excluded: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    limits: Limits | None = None
    clamp: bool = False

    @classmethod
    def of(cls, count: int) -> SelectionRequest:
        """Return the request for so many rows, and nothing else."""
        return cls(count, count)

    @property
    def is_plain(self) -> bool:
        """Whether any rows will do."""
        return self.limits is None and not len(self.preselected) and not len(self.excluded)

    @property
    def is_exact(self) -> bool:
        """Whether exactly so many rows are requested, not at most so many."""
        return self.limits is None or self.limits.costs is None

    @property
    def for_kernels(self) -> Request:
        """The request as the kernels take it."""
        return Request(self.count, self.preselected, self.excluded, self.limits)

    def candidates(self, n: int) -> Rows:
        """Return which of `n` rows are neither preselected nor excluded."""
        free = np.ones(n, bool)
        free[self.preselected] = False
        free[self.excluded] = False
        return np.flatnonzero(free)

    def share(self, share: float) -> SelectionRequest:
        """Return the request for this share of the rows (rounded half up), or of what they may cost."""
        if self.limits is None or self.limits.costs is None:
            return dataclasses.replace(
                self, count=rounded_share(share, self.count), expected=rounded_share(share, self.count)
            )
        spent = int(self.limits.costs[self.preselected].sum())
        limits = self.limits.with_request_budget(rounded_share(share, max(0, self.limits.budget - spent)))
        return dataclasses.replace(self, limits=limits, expected=rounded_share(share, self.expected))

    def after(self, rows: Rows) -> SelectionRequest:
        """Return the request for the other rows, after these are picked."""
        return dataclasses.replace(
            self,
            count=self.count - len(rows),
            expected=max(0, self.expected - len(rows)),
            preselected=np.concatenate([self.preselected, rows]),
        )

    def excluding(self, rows: Rows) -> SelectionRequest:
        """Return the same request without these rows."""
        return dataclasses.replace(self, excluded=np.concatenate([self.excluded, rows]))

    def removable(self, rows: Rows) -> Rows:
        """Return which of `rows`, the first to go first, can be left out so that the limits can still hold.

        None can where no other row is cheap enough. A group retains as many rows as it may have, or, where that is all,
        as it must have; and, where rows have costs, the cheapest of those it must have.
        """
        if self.limits is not None and self.limits.costs is not None:
            costs = self.limits.costs
            others = np.setdiff1d(self.candidates(len(costs)), rows)
            if not (costs[others] <= self.limits.budget - costs[self.preselected].sum()).any():
                return rows[:0]
        if self.limits is None or self.limits.groups is None:
            return rows
        minimum, maximum = self.limits.min_per_group, self.limits.max_per_group
        if minimum is None or maximum is None:
            return rows
        groups, candidates = self.limits.groups, self.candidates(len(self.limits.groups))
        preselected = np.bincount(groups[self.preselected], minlength=len(minimum))
        if self.limits.costs is not None:
            rows = rows[~np.isin(rows, cheapest(candidates, groups, self.limits.costs, minimum - preselected))]
        available = np.bincount(groups[candidates], minlength=len(minimum))
        needed = np.where(maximum < available + preselected, maximum, minimum) - preselected
        order = np.argsort(groups[rows], kind="stable")
        of = groups[rows][order]
        place = np.arange(len(rows)) - np.searchsorted(of, of)
        removable = np.ones(len(rows), bool)
        removable[order] = place < np.maximum(available - np.maximum(needed, 0), 0)[of]
        remaining = available - np.bincount(groups[rows[removable]], minlength=len(available))
        possible = int(np.minimum(remaining, np.maximum(maximum - preselected, 0)).sum())
        return rows[removable] if self.limits.costs is not None or possible >= self.count else rows[:0]


def cheapest(rows: Rows, groups: Rows, costs: Rows, need: Rows) -> Rows:
    """Return of these rows the cheapest of each group, as many as it needs."""
    order = rows[np.lexsort((costs[rows], groups[rows]))]
    of = groups[order]
    place = np.arange(len(order)) - np.searchsorted(of, of)
    return order[place < need[of]]


def rounded_share(share: float, whole: int) -> int:
    """Return a share of a whole number, rounded half up.

    Examples
    --------
    >>> rounded_share(0.6, 8)
    5
    """
    return int(Fraction(str(share)) * whole + Fraction(1, 2))
