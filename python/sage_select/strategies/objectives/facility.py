"""Facility location: rows that represent all others."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.cells import Training, train_centroids
from sage_select.strategies.objectives.base import Found

__all__ = ["DENSE_LIMIT", "GRAPH_CELLS", "NEIGHBOURS", "facility", "graph_cells"]

#: Above so many rows facility location works on a graph.
DENSE_LIMIT: Final = 20_000
#: Rows looked at for the neighbours of one. With 4,500 of 20,000, real and clustered rows kept 99.7 % of the dense
#: greedy's value. Beyond 20,000 rows there is no dense value to compare with: the manifest tells the recall.
_CANDIDATES: Final = 6000
#: Neighbours of a row in the graph.
NEIGHBOURS: Final = 64
#: Few rows a cell and few iterations: where the borders lie matters little, as several cells are looked at.
GRAPH_CELLS: Final = Training("graph", iterations=6, per_cell=32)


def facility(pool: Pool, k: int, _select: Select, given: NDArray[np.int64]) -> Found:
    """Pick greedily for f(S) = sum over rows i of max over s in S of max(0, sim(i, s)).

    At least 1 - 1/e of the best value (Nemhauser et al. 1978). Exact on the dense similarities up to 20,000 rows; above
    that on the graph of the 64 nearest neighbours, looked for among about 6,000 rows in the nearest of about sqrt(n)
    cells.
    """
    matrix = pool.need_matrix()
    if pool.n <= DENSE_LIMIT or k == 0:
        return kernels.facility_location(
            matrix, k, dense_limit=DENSE_LIMIT, given=given, threads=pool.threads, progress=pool.progress
        ), {}
    count, probe = graph_cells(pool.n)
    centroids = train_centroids(pool, count, GRAPH_CELLS)
    greedy = kernels.facility_location(
        matrix,
        k,
        k_nn=NEIGHBOURS,
        dense_limit=DENSE_LIMIT,
        centroids=centroids,
        probe=probe,
        given=given,
        threads=pool.threads,
        progress=pool.progress,
    )
    return greedy, {
        "graph_recall": greedy.recall,
        "graph_cells": count,
        "graph_probe": probe,
    }


def graph_cells(n: int) -> tuple[int, int]:
    """Return how many cells `n` rows are divided into, and how many of them are looked at for the rows of one."""
    count = math.isqrt(n)
    return count, math.ceil(_CANDIDATES * count / n)
