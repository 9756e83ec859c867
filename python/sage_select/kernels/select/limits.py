"""What a whole selection may hold, as the kernels take it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.kernels import arrays
from sage_select.kernels.call import whole

__all__ = ["Bounds", "Limits", "bounds"]

#: As the native module takes limits.
Bounds: TypeAlias = tuple[int, tuple[pa.Array, pa.Array, pa.Array] | None, tuple[pa.Array, int, int] | None]

_NO_LIMIT: Final = 2**63 - 1


@dataclass(frozen=True)
class Limits:
    """Limits on a selection, the rows given included.

    A row is picked only where the limits can still be kept with it: where groups must have some rows, room is left for
    them, and for the cost of the cheapest of them. A row that is refused once stays refused, so that picks in order of
    worth are the best of those allowed at each turn.

    Attributes
    ----------
    rows
        The most rows; None for as many as there are.
    groups
        Whole numbers (n,), from 0 to g - 1: the group of each row. None for no groups.
    least, most
        Whole numbers (g,): the fewest and the most rows of each group.
    costs
        Whole numbers (n,), from 0: the cost of each row, as a rule its tokens. None for no costs.
    budget
        What all rows may cost together.
    part
        What the rows of one request may cost, where it picks a part of the selection; None for all that is left.
    """

    rows: int | None = None
    groups: NDArray[Any] | None = None
    least: NDArray[Any] | None = None
    most: NDArray[Any] | None = None
    costs: NDArray[Any] | None = None
    budget: int = _NO_LIMIT
    part: int | None = None

    def for_part(self, part: int) -> Limits:
        """Return the same limits for a request that may spend so much."""
        return dataclasses.replace(self, part=part)


def bounds(limits: Limits | None) -> Bounds | None:
    """Return limits as the native module takes them.

    Raises
    ------
    UsageError
        A number is negative.
    DataError
        What should be whole numbers are not, or do not fit.
    """
    if limits is None:
        return None
    groups = costs = None
    if limits.groups is not None:
        most = np.empty(0, np.int64) if limits.most is None else limits.most
        least = np.zeros(len(most), np.int64) if limits.least is None else limits.least
        groups = (
            arrays.as_arrow(arrays.integers(limits.groups, "groups", np.uint32)),
            arrays.as_arrow(arrays.integers(least, "least", np.int64)),
            arrays.as_arrow(arrays.integers(most, "most", np.int64)),
        )
    if limits.costs is not None:
        budget = whole(limits.budget, "budget")
        part = budget if limits.part is None else whole(limits.part, "part")
        costs = (arrays.as_arrow(arrays.integers(limits.costs, "costs", np.uint64)), budget, part)
    return whole(_NO_LIMIT if limits.rows is None else limits.rows, "rows"), groups, costs
