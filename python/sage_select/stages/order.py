"""Where each row stands in training."""

from __future__ import annotations

import numpy as np

from sage_select.data import Dataset
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage, stage
from sage_select.seeds import stage_key
from sage_select.strategies.pool import HASHED_BYTES

__all__ = ["Order"]


@stage("order", place=70, effect="reorders", by_default=True)
class Order(Stage):
    """Where each row stands in training: a shuffle keyed by the seed and the id of the row.

    Never the order of the picks, which would put the hardest rows first.
    """

    def run(self, data: Dataset, run: Run) -> Dataset:
        """Return the rows with their position; where hashes are equal, the row picked earlier comes first."""
        rank = data.feature("rank")
        hashes = data.hashes(stage_key(run.seed, "order"))
        order = np.lexsort((np.arange(data.n) if rank is None else rank, hashes))
        positions = np.empty(data.n, np.int64)
        positions[order] = np.arange(data.n)
        return data.with_feature("position", positions)

    def cost(self, size: Size) -> Cost:
        """Return the cost of a hash a row, and of sorting them."""
        return Cost((HASHED_BYTES + 24) * size.n, size.seconds(rows=2 * size.n), 8.0 * size.n)

    def describe(self) -> str:
        """Return the rule."""
        return "keyed shuffle"
