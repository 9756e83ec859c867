"""The rows that a strategy chose, in order, with what it says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sage_select.data import Scores

__all__ = ["Picks"]


@dataclass(frozen=True)
class Picks:
    """The chosen rows.

    Attributes
    ----------
    indices
        int64 (k,), row numbers in pick order, none twice.
    gains
        float32 (k,), the objective's gain at each pick; NaN where the rule has none.
    reasons
        (reason, count) runs in pick order; the counts add up to k.
    evidence
        Facts for the manifest: which method, how many cells, digests.
    regions
        int32 (n,): the cell of each row, where rows were taken by cells.
    scores
        The number of each row (n,) that they were picked by, where the rule itself made these.
    notice
        What users should know of them, in a line; empty where there is nothing.
    """

    indices: NDArray[np.int64]
    gains: NDArray[np.float32]
    reasons: tuple[tuple[str, int], ...]
    evidence: Mapping[str, Any] = field(default_factory=dict)
    regions: NDArray[np.int32] | None = None
    scores: Scores | None = None
    notice: str = ""

    @classmethod
    def without_gains(cls, indices: NDArray[np.int64], reason: str, evidence: Mapping[str, Any] | None = None) -> Picks:
        """Return picks that all have one reason and no gain."""
        return cls(indices, np.full(len(indices), np.nan, np.float32), ((reason, len(indices)),), evidence or {})

    def first(self, k: int) -> Picks:
        """Return the first `k` of these picks."""
        reasons, remaining = [], k
        for reason, count in self.reasons:
            reasons.append((reason, min(count, remaining)))
            remaining -= reasons[-1][1]
        return Picks(
            self.indices[:k], self.gains[:k], tuple(reasons), self.evidence, self.regions, self.scores, self.notice
        )

    def then(self, others: Picks) -> Picks:
        """Return these picks and after them the others."""
        return Picks(
            np.concatenate([self.indices, others.indices]),
            np.concatenate([self.gains, others.gains]),
            (*self.reasons, *others.reasons),
            {**self.evidence, **others.evidence},
            others.regions if self.regions is None else self.regions,
            others.scores if self.scores is None else self.scores,
            "; ".join(filter(None, (self.notice, others.notice))),
        )
