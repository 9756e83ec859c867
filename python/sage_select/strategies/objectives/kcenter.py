"""k-center: rows far from one another."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.errors import UsageError
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.cells import train_centroids
from sage_select.strategies.objectives.base import Found

__all__ = ["kcenter"]


def kcenter(pool: Pool, k: int, select: Select, given: NDArray[np.int64]) -> Found:
    """Pick farthest-first among the rows that are no outliers: at most twice the best radius of those (Gonzalez 1985).

    Left to itself the rule picks outliers first. The share `outlier_guard` of the rows that lie farthest from the
    middle of their cell (of about sqrt(n) cells) is not picked, unless too few rows are left for `k`.
    """
    if select.start is not None and select.start >= pool.n:
        raise UsageError("start names no row", expected=f"a row number below {pool.n:,}", got=str(select.start))
    outliers = _outliers(pool, k, select, given)
    greedy = kernels.k_center(
        pool.need_matrix(),
        k,
        given=given,
        excluded=outliers,
        start=select.start if k else None,
        threads=pool.threads,
        progress=pool.progress,
    )
    return greedy, {"outliers_left_out": len(outliers)} if select.outlier_guard else {}


def _outliers(pool: Pool, k: int, select: Select, given: NDArray[np.int64]) -> NDArray[np.int64]:
    count = min(int(select.outlier_guard * pool.n), pool.n - len(given) - k)
    if count == 0 or k == 0:
        return np.empty(0, np.int64)
    matrix = pool.need_matrix()
    centroids = train_centroids(pool, math.isqrt(pool.n), stage="outliers", iterations=6, per_cell=32)
    cells = kernels.assign_cells(matrix, centroids, threads=pool.threads)
    distances = kernels.cell_distances(matrix, centroids, cells, threads=pool.threads)
    # A start that is asked for, and what is given, are the caller's choice.
    distances[given] = -1
    if select.start is not None:
        distances[select.start] = -1
    return kernels.top_k(distances, count, threads=pool.threads)
