"""How much is selected, and how many of each group."""

from __future__ import annotations

from dataclasses import dataclass

from sage_select.values.budget import Budget
from sage_select.values.quota import Quota

__all__ = ["Constraints"]


@dataclass(frozen=True)
class Constraints:
    """What the user demands of a selection beside the rows pinned and excluded.

    Attributes
    ----------
    budget
        Rows, a share of those that are not excluded, or tokens.
    quota
        How many rows of each value of a column, or None.
    clamp
        Take what there is where the budget, or the minimum of a quota, is more.
    """

    budget: Budget
    quota: Quota | None = None
    clamp: bool = False
