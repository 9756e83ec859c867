"""k-means: the row in the middle of each cell."""

from __future__ import annotations

from typing import Final

import numpy as np

from sage_select import kernels
from sage_select.ops import Select
from sage_select.seeds import stage_key
from sage_select.strategies.base import Pool
from sage_select.strategies.cells import Training, train_centroids
from sage_select.strategies.objectives.base import Found
from sage_select.strategies.wish import Wish

__all__ = ["MEDOID_CELLS", "MOST_MEDOIDS", "kmeans"]

#: With as many cells there are two rows a cell to train on: more would be single rows, and take longer.
MOST_MEDOIDS: Final = 1 << 15
#: How their centroids are trained.
MEDOID_CELLS: Final = Training("kmeans", iterations=10, per_cell=64)


def kmeans(pool: Pool, wish: Wish, _select: Select) -> Found:
    """Divide the rows into a cell for each pick and each row given, and take the middle of the largest without one.

    The middle is the row nearest to the centroid. Gains are the number of rows of a pick's cell, and picks come from
    the largest cell on, so that the first stand for most rows. k-means starts from the rows given and rows drawn by D2
    (k-means++), and trains on at most 64 rows a cell and 65,536 in all: above about 1,000 cells each has fewer rows to
    find its middle from, and beyond 32,768 picks, with the rows given, cells give a second row.
    """
    if wish.count == 0:
        return kernels.Greedy(np.empty(0, np.int64), np.empty(0, np.float32), 0, "cells"), {}
    matrix = pool.need_matrix()
    count = min(max(wish.expected, 1) + len(wish.given), MOST_MEDOIDS)
    heeded = wish.given[:count]
    drawn = kernels.d2(
        matrix,
        count - len(heeded),
        key=stage_key(pool.seed, "kmeans-start"),
        order=pool.draw_order("kmeans-start"),
        given=heeded,
        threads=pool.threads,
    )
    start = np.concatenate([heeded, drawn.indices])
    centroids = train_centroids(pool, count, MEDOID_CELLS, start)
    found = kernels.medoids(matrix, centroids, wish.count, **wish.terms, threads=pool.threads, progress=pool.progress)
    greedy = kernels.Greedy(found.indices, found.sizes, drawn.evaluations + pool.n * (count + 1), "cells")
    return greedy, {
        "kmeans_cells": count,
        "kmeans_fills": found.fills,
    }
