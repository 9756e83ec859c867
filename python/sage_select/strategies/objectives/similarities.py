"""What objectives over similarities share: all pairs of few rows, the nearest neighbours of many."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.declare.option import Option
from sage_select.pipeline.cost import Cost, Size
from sage_select.strategies.cells import Training, centroids_cost, train_centroids
from sage_select.strategies.objectives.faiss_search import faiss_neighbours
from sage_select.strategies.objectives.objective import Found, Objective
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["DENSE_LIMIT", "GRAPH_CELLS", "OverSimilarities", "graph_cells"]

#: Above so many rows similarities are those of a graph.
DENSE_LIMIT: Final = 20_000
#: Rows that a row is compared with for its neighbours, as a rule, and cells as a multiple of sqrt(n). Of 36,000 real
#: rows and 200,000 synthetic ones 98 to 99 % of the exact neighbours are among them; the manifest tells the share of
#: each run.
_CANDIDATES: Final = 4000
_CELLS: Final = 4
#: A row in the heap of greedy picks, with its gain; an edge of the graph.
_CANDIDATE_BYTES: Final = 16
_EDGE_BYTES: Final = 8
#: By how much an estimated number of rows may be too large.
_ESTIMATE_ERROR: Final = 0.2
#: Few rows a cell and few iterations: where the borders lie matters little, as several cells are probed.
GRAPH_CELLS: Final = Training("graph", iterations=3, per_cell=16, directions=True)


class OverSimilarities(Objective):
    """An objective over similarities: all pairs of few rows, the nearest neighbours of many."""

    k_nn: Annotated[
        int, Option("neighbours of a row, itself included, where there are over 20,000 rows", ge=1, le=4096)
    ] = 64
    neighbors: Annotated[Literal["cells", "faiss"], Option("who finds them: cells (our own search) or faiss")] = "cells"

    def over_similarities(
        self,
        kernel: Callable[..., kernels.Greedy],
        request: SelectionRequest,
        pool: Pool,
        dense_limit: int = DENSE_LIMIT,
    ) -> Found:
        """Pick rows by a kernel that works on similarities.

        All pairs up to `dense_limit` rows; above that the graph of the `k_nn` nearest neighbours, found among about
        4,000 rows in the nearest of about 4 sqrt(n) cells, by our own search or by FAISS.
        """

        def pick(**search: Any) -> kernels.Greedy:
            return kernel(
                pool.need_matrix(),
                request.for_kernels,
                dense_limit=dense_limit,
                threads=pool.threads,
                progress=pool.progress,
                **search,
            )

        if pool.n <= dense_limit or request.count == 0:
            return pick(), {}
        count, probe = graph_cells(pool.n)
        centroids = train_centroids(pool, count, GRAPH_CELLS)
        search, facts = self._search(pool, centroids, probe)
        greedy = pick(k_nn=self.k_nn, **search)
        return greedy, {
            "graph_neighbors": self.neighbors,
            "graph_k_nn": self.k_nn,
            "graph_recall": greedy.recall,
            "graph_cells": count,
            "graph_probe": probe,
            **facts,
        }

    def cost(self, size: Size, dense_limit: int = DENSE_LIMIT) -> Cost:
        """Return the cost of all similarities, or of the graph; of either, where rows are only estimated."""
        n = size.n
        if size.k == 0:
            return Cost()
        if n <= dense_limit:
            # Some fifty gains are computed anew for a pick.
            multiply_adds = float(n) * n / 2 * size.d + 50.0 * size.k * n
            return Cost(
                self._bytes_of_pairs(size) + (4 + 2 * _CANDIDATE_BYTES) * n,
                size.seconds(multiply_adds=multiply_adds),
            )
        graph = self._graph_cost(size)
        if size.exact or n * (1 - _ESTIMATE_ERROR) > dense_limit:
            return graph
        dense = self.cost(replace(size, n=dense_limit), dense_limit)
        return Cost(max(graph.memory, dense.memory), graph.seconds)

    def _bytes_of_pairs(self, size: Size) -> float:
        """Return what is held of all pairs of rows: their similarities."""
        return 4.0 * size.n**2

    def _graph_cost(self, size: Size) -> Cost:
        n, d, edges = size.n, size.d, float(size.n) * self.k_nn
        cells, probe = graph_cells(n)
        # Neighbours and cells to probe, beside the int16 rows and their tiles, or FAISS's copy of the rows; then
        # neighbours beside the edges both ways; then the edges beside the gains.
        searched = _EDGE_BYTES * edges + (4 * d + 4 * probe + 12) * n
        symmetric = 3 * _EDGE_BYTES * edges + 20.0 * n
        greedy = 2 * _EDGE_BYTES * edges + (12 + 2 * _CANDIDATE_BYTES) * n
        seconds = size.seconds(multiply_adds=float(n) * (probe * n / cells + cells) * d, rows=edges)
        return centroids_cost(size, cells, GRAPH_CELLS).then(Cost(max(searched, symmetric, greedy), seconds))

    def describe(self) -> str:
        """Return the settings of the graph, where they are not the defaults."""
        fields = type(self).model_fields
        changed = any(getattr(self, name) != fields[name].default for name in ("k_nn", "neighbors"))
        return f"{self.k_nn} neighbours by {self.neighbors}" if changed else ""

    def _search(
        self, pool: Pool, centroids: NDArray[np.float32], probe: int
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return where neighbours come from, as arguments of the kernel, and facts about it."""
        if self.neighbors == "cells":
            return {"centroids": centroids, "probe": probe}, {}
        neighbours = faiss_neighbours(pool.need_matrix(), centroids, self.k_nn, probe, pool.threads)
        # FAISS's arithmetic is not ours to fix: the digest tells what it gave.
        return {"neighbours": neighbours}, {
            "graph_neighbors_digest": hashlib.blake2b(neighbours.data, digest_size=16).hexdigest()
        }


def graph_cells(n: int) -> tuple[int, int]:
    """Return how many cells `n` rows are divided into, and how many of them a row probes."""
    count = _CELLS * math.isqrt(n)
    return count, math.ceil(_CANDIDATES * count / n)
