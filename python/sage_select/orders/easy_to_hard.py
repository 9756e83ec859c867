"""Easy to hard: the classic curriculum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sage_select.data import Dataset
from sage_select.orders.by_difficulty import ByDifficulty
from sage_select.orders.rule import Arrangement, order, sorted_by
from sage_select.pipeline.run import Run

__all__ = ["EasyToHard"]


@order("easy_to_hard", place=20, needs_always=frozenset({"scores"}), nested=True)
class EasyToHard(ByDifficulty):
    """By score, the easiest row first, equal ones shuffled.

    The curriculum of Bengio et al. 2009 (ICML), with a row a step. Cost: a sort.
    """

    def arrange(self, shuffle: NDArray[np.int64], data: Dataset, run: Run) -> Arrangement:
        """Return the rows by difficulty."""
        return Arrangement(sorted_by(self.difficulty(data, run), shuffle))

    def describe(self) -> str:
        """Return the rule."""
        return "by score, the easiest row first; equal ones by keyed hash"
