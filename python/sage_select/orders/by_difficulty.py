"""What rules have in common that order rows by how hard they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sage_select.data import Dataset
from sage_select.errors import UsageError
from sage_select.orders.rule import OrderRule, said_if_equal
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run

__all__ = ["ByDifficulty"]


class ByDifficulty(OrderRule):
    """A rule over scores, turned so that a higher number is a harder row."""

    def difficulty(self, data: Dataset, run: Run) -> NDArray[np.float32]:
        """Return float32 (n,), higher is harder; it is told where all are equal.

        Raises
        ------
        UsageError
            If there are no scores.
        """
        if data.scores is None:
            raise UsageError(f"order {self.name!r} needs scores", hint="pass scores, or order='random'")
        difficulty: NDArray[Any] = data.scores.difficulty
        said_if_equal(self, difficulty, "score", run)
        return difficulty

    def cost(self, size: Size) -> Cost:
        """Return the cost of sorting the rows by a float32 number each."""
        return Cost(24.0 * size.n, size.seconds(rows=2 * size.n))
