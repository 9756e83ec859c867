"""Which rows are near copies of others: not what to pick, but what to leave out before."""

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

__all__ = ["PROBE", "near_copies", "near_copies_cost"]

#: Up to so many rows each is compared with all that stay; above that with those in the nearest of many cells.
_ALL_PAIRS_LIMIT: Final = 200_000
#: How many cells. Near copies lie much nearer than a cell is wide: of 200,000 mixtures of real rows 8 cells show all
#: pairs at 0.95, and 99.6 % at 0.8.
PROBE: Final = 8


def near_copies(
    pool: Pool, threshold: float, order: NDArray[np.int64], always: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], Mapping[str, Any]]:
    """Find the rows whose vectors are near to that of a row before them which stays.

    Each leaves where its similarity to one that stays is the threshold or more, and repeats the nearest of these.

    Parameters
    ----------
    pool
        The rows, with vectors under ``cosine``.
    threshold
        The cosine similarity from which on a row is a near copy.
    order
        The rows to look at, in this order; others stay, and no row leaves for one of them.
    always
        How many of these, the first, stay in any case.

    Returns
    -------
    leaders, similarities
        For each row the row that it repeats, itself where it stays; and how similar the two are, NaN where it stays.
    facts
        What was compared: above 200,000 rows only rows in near cells, and which share of the near rows of a sample
        these show.

    Notes
    -----
    The leader rule; Abbas et al. 2023 (SemDeDup, arXiv 2303.09540) use it within k-means cells.
    """
    facts: dict[str, Any] = {"method": "all pairs"}
    search: dict[str, Any] = {}
    if pool.n > _ALL_PAIRS_LIMIT:
        count, _ = graph_cells(pool.n)
        facts = {"method": "near cells", "all_pairs_limit": _ALL_PAIRS_LIMIT, "cells": count, "probe": PROBE}
        search = {"centroids": train_centroids(pool, count, GRAPH_CELLS), "probe": PROBE}
    found = kernels.leaders(
        pool.need_matrix(),
        order,
        threshold=threshold,
        always=always,
        threads=pool.threads,
        progress=pool.progress,
        **search,
    )
    if search:
        facts["recall"] = found.recall
    leaders, similarities = np.arange(pool.n), np.full(pool.n, np.nan, np.float32)
    leaders[order], similarities[order] = found.leaders, found.similarities
    return leaders, similarities, {**facts, "evaluations": found.evaluations}


def near_copies_cost(size: Size) -> Cost:
    """Return what `near_copies` takes: int16 copies of the rows, and what is known of each; most pairs are spared."""
    n, d = size.n, size.d
    known = Cost((2.0 * d + 40) * n, size.seconds(multiply_adds=float(n) * n / 2 * d / 10))
    if n <= _ALL_PAIRS_LIMIT:
        return known
    cells, _ = graph_cells(n)
    pairs = float(n) * (PROBE * n / cells / 10 + cells)
    narrow = Cost((4.0 * d + 4 * PROBE + 40) * n, size.seconds(multiply_adds=pairs * d))
    return centroids_cost(size, cells, GRAPH_CELLS).then(narrow)
