"""k-center: rows far from one another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.errors import UsageError
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.cells import Training, train_centroids
from sage_select.strategies.objectives.base import Found
from sage_select.strategies.wish import Wish

__all__ = ["OUTLIER_CELLS", "kcenter", "nearer_outliers", "outliers"]

#: The cells from whose middles outliers are far.
OUTLIER_CELLS: Final = Training("outliers", iterations=6, per_cell=32)


def kcenter(pool: Pool, wish: Wish, select: Select) -> Found:
    """Pick farthest-first among the rows that are no outliers: at most twice the best radius of those (Gonzalez 1985).

    Left to itself the rule picks outliers first. The share `outlier_guard` of the rows that lie farthest from the
    middle of their cell (of about sqrt(n) cells) is not picked, unless too few rows are left then. The first pick is
    the row with the smallest keyed hash of its id; without ids it is the lowest.
    """
    if select.start is not None and select.start >= pool.n:
        raise UsageError("start names no row", expected=f"a row number below {pool.n:,}", got=str(select.start))
    if select.start is not None and len(wish.given):
        raise UsageError("a start has no meaning beside pinned rows", hint="leave --start or --pin out")
    left_out = _outliers(pool, wish, select)
    candidates = wish.without(left_out)
    start = select.start
    if wish.count == 0:
        start = None
    elif start is None:
        start = pool.start(candidates, "kcenter")
    greedy = kernels.k_center(
        pool.need_matrix(),
        wish.count,
        **candidates.terms,
        start=start,
        threads=pool.threads,
        progress=pool.progress,
    )
    return greedy, {"outliers_left_out": len(left_out)} if select.outlier_guard else {}


def outliers(select: Select, n: int, k: int, closed: int) -> int:
    """Return how many of `n` rows are left out, where `k` are picked and so many are closed to picks."""
    return max(0, min(int(select.outlier_guard * n), n - closed - k))


def nearer_outliers(select: Select, n: int, evidence: Mapping[str, Any]) -> str:
    """Return why a smaller budget would leave other rows out, where it would: few are left out where many are picked.

    `evidence` is that of the selection among `n` rows.
    """
    left_out = evidence.get("outliers_left_out")
    if left_out is None or left_out == int(select.outlier_guard * n):
        return ""
    return "with a smaller budget k-center leaves more outliers out"


def _outliers(pool: Pool, wish: Wish, select: Select) -> NDArray[np.int64]:
    count = outliers(select, pool.n, wish.expected, len(wish.given) + len(wish.excluded))
    if count == 0 or wish.count == 0:
        return np.empty(0, np.int64)
    matrix = pool.need_matrix()
    centroids = train_centroids(pool, math.isqrt(pool.n), OUTLIER_CELLS)
    cells = kernels.assign_cells(matrix, centroids, threads=pool.threads)
    distances = kernels.cell_distances(matrix, centroids, cells, threads=pool.threads)
    # A start that is asked for, and what is given, are the caller's choice.
    distances[wish.given] = -1
    distances[wish.excluded] = -1
    if select.start is not None:
        distances[select.start] = -1
    return wish.dispensable(kernels.top_k(distances, count, threads=pool.threads))
