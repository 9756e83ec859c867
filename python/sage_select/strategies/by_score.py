"""Rows by score: the hardest, the hardest of a band, or some of every region."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.columns import Reason
from sage_select.errors import UsageError
from sage_select.ops import Select
from sage_select.strategies.base import Picks, Pool
from sage_select.strategies.cells import cells
from sage_select.strategies.standing import standing
from sage_select.strategies.wish import Wish

__all__ = ["MOST_CELLS", "by_score"]

#: Most regions that rows are taken from.
MOST_CELLS = 4096


def by_score(pool: Pool, wish: Wish, select: Select) -> Picks:
    """Pick the rows of a wish by score, as `score_mode` says.

    `top` picks by (difficulty descending, row ascending), `band` by the same among the rows that at least `low` and at
    most `high` of the others are easier than. `stratified` takes rows from every region: as many cells as rows are
    expected (at most 4096), rows a cell by its size, around `score_quantile` of the difficulty within the cell.

    Raises
    ------
    UsageError
        If a band holds too few rows, unless the budget is clamped.
    """
    difficulty = pool.need_difficulty()
    if select.by_score == "top" or wish.count == 0:
        if wish.is_plain:
            return _picks(kernels.top_k(difficulty, wish.count, threads=pool.threads))
        return _picks(_walk(pool, _hardest_first(pool, np.arange(pool.n)), wish))
    if select.by_score == "band":
        return _picks(_of_band(pool, wish, select))
    rows = wish.open(pool.n)
    how_many = min(max(wish.expected, 1), MOST_CELLS, pool.n)
    regions = cells(pool, how_many)
    ranked = kernels.stratified(difficulty[rows], regions[rows], min(wish.expected, len(rows)), select.score_quantile)
    return dataclasses.replace(_picks(_walk(pool, rows[ranked], wish), {"cells": how_many}), regions=regions)


def _picks(rows: NDArray[np.int64], facts: Mapping[str, Any] | None = None) -> Picks:
    return Picks.without_gains(rows, Reason.SCORE, facts)


def _of_band(pool: Pool, wish: Wish, select: Select) -> NDArray[np.int64]:
    where = standing(pool.need_difficulty())
    band = select.score_band
    rows = np.flatnonzero((where >= band.low) & (where <= band.high))
    picks = _walk(pool, _hardest_first(pool, rows), wish)
    exact = wish.limits is None or wish.limits.costs is None
    if exact and len(picks) < wish.count and not select.clamp:
        raise UsageError(
            f"the band {band} of the scores has too few rows",
            expected=f"{wish.count:,} rows to pick by score",
            got=f"{len(picks):,} that the limits allow, of {len(rows):,} in the band",
            hint="widen --score-band, lower the budget, or pass --clamp (clamp=True) to take those there are",
        )
    return picks


def _hardest_first(pool: Pool, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows[kernels.top_k(pool.need_difficulty()[rows], len(rows), threads=pool.threads)]


def _walk(pool: Pool, order: NDArray[np.int64], wish: Wish) -> NDArray[np.int64]:
    return kernels.in_order(pool.n, order, wish.count, **wish.terms)
