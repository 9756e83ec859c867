"""What objectives over similarities share: all pairs of few rows, the nearest neighbours of many."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.cells import Training, train_centroids
from sage_select.strategies.objectives.base import Found
from sage_select.strategies.objectives.faiss_search import faiss_neighbours
from sage_select.strategies.wish import Wish

__all__ = ["DENSE_LIMIT", "GRAPH_CELLS", "graph_cells", "over_similarities"]

#: Above so many rows similarities are those of a graph.
DENSE_LIMIT: Final = 20_000
#: Rows that a row looks at for its neighbours, as a rule, and cells as a multiple of sqrt(n). Of 36,000 real rows and
#: 200,000 synthetic ones 98 to 99 % of the exact neighbours are among them; the manifest tells the share of each run.
_CANDIDATES: Final = 4000
_CELLS: Final = 4
#: Few rows a cell and few iterations: where the borders lie matters little, as several cells are looked at.
GRAPH_CELLS: Final = Training("graph", iterations=3, per_cell=16, directions=True)


def over_similarities(kernel: Callable[..., kernels.Greedy], pool: Pool, wish: Wish, select: Select) -> Found:
    """Pick rows by a kernel that works on similarities.

    All pairs up to 20,000 rows; above that the graph of the `k_nn` nearest neighbours, looked for among about 4,000
    rows in the nearest of about 4 sqrt(n) cells, by our own search or by FAISS.
    """

    def pick(**search: Any) -> kernels.Greedy:
        return kernel(
            pool.need_matrix(),
            wish.count,
            **wish.terms,
            dense_limit=DENSE_LIMIT,
            threads=pool.threads,
            progress=pool.progress,
            **search,
        )

    if pool.n <= DENSE_LIMIT or wish.count == 0:
        return pick(), {}
    count, probe = graph_cells(pool.n)
    centroids = train_centroids(pool, count, GRAPH_CELLS)
    search, facts = _search(pool, select, centroids, probe)
    greedy = pick(k_nn=select.k_nn, **search)
    return greedy, {
        "graph_neighbors": select.neighbors,
        "graph_k_nn": select.k_nn,
        "graph_recall": greedy.recall,
        "graph_cells": count,
        "graph_probe": probe,
        **facts,
    }


def graph_cells(n: int) -> tuple[int, int]:
    """Return how many cells `n` rows are divided into, and how many of them a row looks at."""
    count = _CELLS * math.isqrt(n)
    return count, math.ceil(_CANDIDATES * count / n)


def _search(
    pool: Pool, select: Select, centroids: NDArray[np.float32], probe: int
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return where neighbours come from, as arguments of the kernel, and facts about it."""
    if select.neighbors == "cells":
        return {"centroids": centroids, "probe": probe}, {}
    neighbours = faiss_neighbours(pool.need_matrix(), centroids, select.k_nn, probe, pool.threads)
    # FAISS's arithmetic is not ours to fix: the digest tells what it gave.
    return {"neighbours": neighbours}, {
        "graph_neighbors_digest": hashlib.blake2b(neighbours.data, digest_size=16).hexdigest()
    }
