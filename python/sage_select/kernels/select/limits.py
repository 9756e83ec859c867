"""Limits on a whole selection, as the kernels take them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.kernels import arrays
from sage_select.kernels.call import as_int

__all__ = ["Limits", "NativeLimits"]

#: As the native module takes limits.
NativeLimits: TypeAlias = tuple[int, tuple[pa.Array, pa.Array, pa.Array] | None, tuple[pa.Array, int, int] | None]

_NO_LIMIT: Final = 2**63 - 1


@dataclass(frozen=True, eq=False)
class Limits:
    """Limits on a selection, preselected rows included.

    A row is admissible where the limits can still hold with it: where groups must have some rows, room is left for
    them, and for the cost of the cheapest of them. A row that is inadmissible once stays so, so that picks in order of
    worth are the best of those admissible at each turn.

    Attributes
    ----------
    max_rows
        The maximum number of rows; None for no maximum.
    groups
        Whole numbers (n,), from 0 to g - 1: the group of each row. None for no groups.
    min_per_group, max_per_group
        Whole numbers (g,): the minimum and the maximum number of rows of each group.
    costs
        Whole numbers (n,), from 0: the cost of each row, as a rule its tokens. None for no costs.
    budget
        What all rows may cost together.
    request_budget
        What the rows of one request may cost, where it picks a share of the selection; None for all of the budget.
    """

    max_rows: int | None = None
    groups: NDArray[Any] | None = None
    min_per_group: NDArray[Any] | None = None
    max_per_group: NDArray[Any] | None = None
    costs: NDArray[Any] | None = None
    budget: int = _NO_LIMIT
    request_budget: int | None = None

    def with_request_budget(self, budget: int) -> Limits:
        """Return the same limits for a request whose rows may cost so much."""
        return dataclasses.replace(self, request_budget=budget)

    def native(self) -> NativeLimits:
        """Return the limits as the native module takes them.

        Raises
        ------
        UsageError
            A number is negative.
        DataError
            What should be whole numbers are not, or do not fit.
        """
        groups = costs = None
        if self.groups is not None:
            maximum = np.empty(0, np.int64) if self.max_per_group is None else self.max_per_group
            minimum = np.zeros(len(maximum), np.int64) if self.min_per_group is None else self.min_per_group
            groups = (
                arrays.as_arrow(arrays.integers(self.groups, "groups", np.uint32)),
                arrays.as_arrow(arrays.integers(minimum, "min_per_group", np.int64)),
                arrays.as_arrow(arrays.integers(maximum, "max_per_group", np.int64)),
            )
        if self.costs is not None:
            budget = as_int(self.budget, "budget")
            own = budget if self.request_budget is None else as_int(self.request_budget, "request_budget")
            costs = (arrays.as_arrow(arrays.integers(self.costs, "costs", np.uint64)), budget, own)
        return as_int(_NO_LIMIT if self.max_rows is None else self.max_rows, "max_rows"), groups, costs
