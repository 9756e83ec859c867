"""A selection: what was chosen from, and what was picked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select.data.lineage import Cause, Lineage

if TYPE_CHECKING:
    from sage_select.data.dataset import Dataset

__all__ = ["NOT_SELECTED", "Selected", "without_the_others"]

#: What becomes of rows that a selection passes over, or may not pick.
NOT_SELECTED: Final = "not selected"
_EXCLUDED: Final = "excluded"


@dataclass(frozen=True)
class Selected:
    """A selection: what was chosen from, and what was picked.

    Attributes
    ----------
    stage
        What reports call the stage that picked.
    pool
        The rows before.
    rows
        int64 (k,): the picks by their numbers in `pool`, in pick order.
    gains
        float32 (k,): the gain of each; NaN where the rule has none.
    reasons
        (reason, count) runs in pick order.
    facts
        What the rule tells of its work, for the manifest.
    regions
        int32 (pool.n,): the cell of each row, where rows were taken by cells.
    excluded
        int64: rows of `pool` that could not be picked.
    queries
        float32 (q, d): vectors that the picks were to match, or None.
    groups
        The groups of the rows of `pool` by which a quota counts, or None.
    """

    stage: str
    pool: Dataset
    rows: NDArray[np.int64]
    gains: NDArray[np.float32]
    reasons: tuple[tuple[str, int], ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    regions: NDArray[np.int32] | None = None
    excluded: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    queries: NDArray[Any] | None = None
    groups: Any = None

    def first(self, k: int) -> Selected:
        """Return the selection of the first `k` picks."""
        reasons, rest = [], k
        for reason, count in self.reasons:
            reasons.append((reason, min(count, rest)))
            rest -= reasons[-1][1]
        return replace(self, rows=self.rows[:k], gains=self.gains[:k], reasons=tuple(reasons))


def without_the_others(pool: Dataset, selected: Selected) -> Lineage:
    """Return the lineage with the rows that were not selected, and why."""
    passed = np.ones(pool.n, np.bool_)
    passed[selected.rows] = passed[selected.excluded] = False
    excluded, passed_over = pool.input_rows(selected.excluded), pool.input_rows(np.flatnonzero(passed))
    return pool.lineage.drop(excluded, Cause(selected.stage, _EXCLUDED)).drop(
        passed_over, Cause(selected.stage, NOT_SELECTED)
    )
