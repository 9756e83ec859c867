"""k-means: the row in the middle of each cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from sage_select import kernels
from sage_select.pipeline.cost import Cost, Size
from sage_select.seeds import stage_key
from sage_select.strategies.cells import Training, cells_cost, train_centroids
from sage_select.strategies.objectives.d2 import D2
from sage_select.strategies.objectives.objective import Found, Objective, objective
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["MEDOID_CELLS", "MOST_MEDOIDS", "KMeans"]

#: With as many cells there are two rows a cell to train on: more would be single rows, and take longer.
MOST_MEDOIDS: Final = 1 << 15
#: How their centroids are trained.
MEDOID_CELLS: Final = Training("kmeans", iterations=10, per_cell=64)


@objective("kmeans", place=80, metrics=("cosine", "sqeuclidean"))
class KMeans(Objective):
    """The row in the middle of each of k cells.

    The middle is the row nearest to the centroid. k-means starts from the rows preselected and rows drawn by D2
    (k-means++), and trains on at most 64 rows a cell and 65,536 in all: above about 1,000 cells each has fewer rows to
    find its middle from, and beyond 32,768 picks, with the rows preselected, cells give a second row.
    """

    def pick(self, request: SelectionRequest, pool: Pool) -> Found:
        """Divide the rows into a cell for each pick and each row preselected; take the middles of those without one.

        Gains are the number of rows of a pick's cell, and picks come from the largest cell on, so that the first
        represent most rows.
        """
        if request.count == 0:
            return kernels.Greedy(np.empty(0, np.int64), np.empty(0, np.float32), 0, "cells"), {}
        matrix = pool.need_matrix()
        count = min(max(request.expected, 1) + len(request.preselected), MOST_MEDOIDS)
        centres = request.preselected[:count]
        drawn = kernels.d2(
            matrix,
            kernels.Request(count - len(centres), preselected=centres),
            key=stage_key(pool.seed, "kmeans-start"),
            order=pool.draw_order("kmeans-start"),
            threads=pool.threads,
        )
        start = np.concatenate([centres, drawn.indices])
        centroids = train_centroids(pool, count, MEDOID_CELLS, start)
        found = kernels.medoids(matrix, centroids, request.for_kernels, threads=pool.threads, progress=pool.progress)
        greedy = kernels.Greedy(found.indices, found.sizes, drawn.evaluations + pool.n * (count + 1), "cells")
        return greedy, {"kmeans_cells": count, "kmeans_fills": found.fills}

    def cost(self, size: Size) -> Cost:
        """Return the cost of the rows that centroids start from, and of a cell for each pick."""
        count = min(size.k + size.preselected, MOST_MEDOIDS)
        return D2().cost(replace(size, k=count, preselected=0)).then(cells_cost(size, max(1, count), MEDOID_CELLS))

    def not_nested_reason(self, n: int, facts: Mapping[str, Any]) -> str:
        """Return why a smaller budget would not pick the first of these rows."""
        del n, facts
        return "k-means divides the rows into as many cells as the budget has rows"

    def describe(self) -> str:
        """Return nothing: there is no option."""
        return ""
