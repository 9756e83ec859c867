"""Random: a shuffle that follows the ids of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sage_select.data import Dataset
from sage_select.orders.rule import Arrangement, OrderRule, order
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run

__all__ = ["Random"]


@order("random", place=10, shuffles=True, nested=True)
class Random(OrderRule):
    """A shuffle keyed by the seed and the id of each row.

    Never the order of the picks, which would put the hardest rows first. Independent of the order of rows, of shards
    and of threads.
    """

    def arrange(self, shuffle: NDArray[np.int64], data: Dataset, run: Run) -> Arrangement:
        """Return the shuffle."""
        del data, run
        return Arrangement(shuffle)

    def cost(self, size: Size) -> Cost:
        """Return nothing: the shuffle is there."""
        del size
        return Cost()

    def describe(self) -> str:
        """Return the rule."""
        return "keyed shuffle"
