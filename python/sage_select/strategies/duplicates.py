"""Which rows are near duplicates of others: not what to pick, but what to leave out before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.pipeline.cost import Cost, Size
from sage_select.strategies.cells import centroids_cost, train_centroids
from sage_select.strategies.objectives.similarities import GRAPH_CELLS, graph_cells
from sage_select.strategies.pool import Pool

__all__ = ["PROBE", "near_duplicates", "near_duplicates_cost"]

#: Up to so many rows each is compared with all representatives; above that with those in the nearest of many cells.
_ALL_PAIRS_LIMIT: Final = 200_000
#: How many cells. Near duplicates lie much nearer than a cell is wide: of 200,000 mixtures of real rows 8 cells show
#: all pairs at 0.95, and 99.6 % at 0.8.
PROBE: Final = 8


def near_duplicates(
    pool: Pool, threshold: float, order: NDArray[np.int64], protected_prefix: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], Mapping[str, Any]]:
    """Find the rows whose vectors are near to that of a representative before them.

    Each leaves where its similarity to a representative is the threshold or more, as a near duplicate of the nearest.

    Parameters
    ----------
    pool
        The rows, with vectors under ``cosine``.
    threshold
        The cosine similarity from which on a row is a near duplicate.
    order
        The rows to compare, in this order; others stay, and no row leaves for one of them.
    protected_prefix
        How many of these, the first, stay in any case.

    Returns
    -------
    representatives, similarities
        For each row its representative, itself where it stays; and how similar the two are, NaN where it stays.
    facts
        What was compared: above 200,000 rows only rows in near cells, and which share of the near rows of a sample
        these admit.

    Notes
    -----
    The leader algorithm; Abbas et al. 2023 (SemDeDup, arXiv 2303.09540) use it within k-means cells.
    """
    facts: dict[str, Any] = {"method": "all pairs"}
    search: dict[str, Any] = {}
    if pool.n > _ALL_PAIRS_LIMIT:
        count, _ = graph_cells(pool.n)
        facts = {"method": "near cells", "all_pairs_limit": _ALL_PAIRS_LIMIT, "cells": count, "probe": PROBE}
        search = {"centroids": train_centroids(pool, count, GRAPH_CELLS), "probe": PROBE}
    found = kernels.near_duplicates(
        pool.need_matrix(),
        order,
        threshold=threshold,
        protected_prefix=protected_prefix,
        threads=pool.threads,
        progress=pool.progress,
        **search,
    )
    if search:
        facts["recall"] = found.recall
    representatives, similarities = np.arange(pool.n), np.full(pool.n, np.nan, np.float32)
    representatives[order], similarities[order] = found.representatives, found.similarities
    return representatives, similarities, {**facts, "evaluations": found.evaluations}


def near_duplicates_cost(size: Size) -> Cost:
    """Return what `near_duplicates` takes: int16 copies of the rows, and bounds of each; most pairs are spared."""
    n, d = size.n, size.d
    all_pairs = Cost((2.0 * d + 40) * n, size.seconds(multiply_adds=float(n) * n / 2 * d / 10))
    if n <= _ALL_PAIRS_LIMIT:
        return all_pairs
    cells, _ = graph_cells(n)
    pairs = float(n) * (PROBE * n / cells / 10 + cells)
    within_cells = Cost((4.0 * d + 4 * PROBE + 40) * n, size.seconds(multiply_adds=pairs * d))
    return centroids_cost(size, cells, GRAPH_CELLS).then(within_cells)
