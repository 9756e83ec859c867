"""Diversity: rows that represent all others, lie far apart, are hard and unlike, or span much."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.columns import Reason
from sage_select.ops import Select
from sage_select.strategies.base import Picks, Pool
from sage_select.strategies.cells import train_centroids

__all__ = ["OBJECTIVES", "diverse_picks", "diversity"]

#: Above so many rows facility location works on a graph.
DENSE_LIMIT: Final = 20_000
#: Rows looked at for the neighbours of one. With 4,500 of 20,000, real and clustered rows kept 99.7 % of the dense
#: greedy's value. Beyond 20,000 rows there is no dense value to compare with: the manifest tells the recall.
_CANDIDATES: Final = 6000

Found = tuple[kernels.Greedy, Mapping[str, Any]]


def _facility(pool: Pool, k: int, _select: Select, **common: Any) -> Found:
    matrix = pool.need_matrix()
    if pool.n <= DENSE_LIMIT or k == 0:
        return kernels.facility_location(matrix, k, dense_limit=DENSE_LIMIT, **common), {}
    # Few rows a cell and few iterations: where the borders lie matters little, as several cells are looked at.
    count = math.isqrt(pool.n)
    probe = math.ceil(_CANDIDATES * count / pool.n)
    centroids = train_centroids(pool, count, stage="graph", iterations=6, per_cell=32)
    greedy = kernels.facility_location(
        matrix, k, dense_limit=DENSE_LIMIT, centroids=centroids.points, probe=probe, **common
    )
    return greedy, {
        "graph_recall": greedy.recall,
        "graph_cells": count,
        "graph_probe": probe,
        "graph_centroids_digest": centroids.digest,
    }


def _kcenter(pool: Pool, k: int, _select: Select, **common: Any) -> Found:
    return kernels.k_center(pool.need_matrix(), k, **common), {}


def _mmr(pool: Pool, k: int, select: Select, **common: Any) -> Found:
    relevance = _standing(pool.need_difficulty())
    return kernels.mmr(pool.need_matrix(), relevance, k, weight=select.mmr_lambda, **common), {}


def _dpp(pool: Pool, k: int, select: Select, **common: Any) -> Found:
    quality = None if pool.difficulty is None else (1 + _standing(pool.difficulty)) / 2
    return kernels.ridge_dpp(pool.need_matrix(), k, quality=quality, eps=select.dpp_eps, **common), {}


OBJECTIVES: dict[str, Callable[..., Found]] = {
    "facility": _facility,
    "kcenter": _kcenter,
    "mmr": _mmr,
    "dpp": _dpp,
}


def diversity(pool: Pool, k: int, select: Select) -> Picks:
    """Pick `k` rows by the objective alone.

    `facility`: greedy facility location, f(S) = sum over rows i of max over s in S of max(0, sim(i, s)), at
    least 1 - 1/e of the best value (Nemhauser et al. 1978); exact on the dense similarities up to 20,000
    rows, above that on the graph of the 64 nearest neighbours, looked for among about 6,000 rows in the nearest
    of about sqrt(n) cells. `kcenter`: farthest-first, at most twice the best radius (Gonzalez 1985). `mmr`: maximal
    marginal relevance, mmr_lambda relevance_i - (1 - mmr_lambda) max over s in S of sim(i, s) (Carbonell and
    Goldstein 1998), where the relevance of a row is the share of rows that
    are easier: from 0 to 1 like a similarity, whatever the scale of the scores. `dpp`: greedy for log det of
    diag(q) (X X' + dpp_eps I) diag(q) over S (Chen et al. 2018), where q goes from 1/2 for the easiest row to 1
    for the hardest, and is 1 without scores.
    """
    return diverse_picks(pool, k, select, np.empty(0, np.int64))


def diverse_picks(pool: Pool, k: int, select: Select, given: NDArray[np.int64]) -> Picks:
    """Pick `k` rows by the objective, aware of the rows `given` that are chosen already."""
    greedy, facts = OBJECTIVES[select.objective](
        pool, k, select, given=given, threads=pool.threads, progress=pool.progress
    )
    evidence = {"objective": select.objective, "objective_method": greedy.method, **facts}
    return Picks(greedy.indices, greedy.gains, ((Reason.DIVERSITY, len(greedy.indices)),), evidence)


def _standing(difficulty: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the share of the other rows that are easier, from 0 to 1; equal rows stand alike."""
    easier = np.searchsorted(np.sort(difficulty), difficulty)
    return (easier / max(len(difficulty) - 1, 1)).astype(np.float32)
