"""Hard to easy: the curriculum turned round."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sage_select.data import Dataset
from sage_select.orders.by_difficulty import ByDifficulty
from sage_select.orders.rule import Arrangement, order, sorted_by
from sage_select.pipeline.run import Run

__all__ = ["HardToEasy"]


@order("hard_to_easy", place=30, needs_always=frozenset({"scores"}), nested=True)
class HardToEasy(ByDifficulty):
    """By score, the hardest row first, equal ones shuffled.

    The control to `easy_to_hard`. Equal rows stand as they do there: this is not that order backwards. Cost: a sort.
    """

    def arrange(self, shuffle: NDArray[np.int64], data: Dataset, run: Run) -> Arrangement:
        """Return the rows by difficulty, falling."""
        return Arrangement(sorted_by(-self.difficulty(data, run), shuffle))

    def describe(self) -> str:
        """Return the rule."""
        return "by score, the hardest row first; equal ones by keyed hash"
