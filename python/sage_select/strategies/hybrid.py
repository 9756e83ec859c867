"""Hybrid: a part by score, a part by diversity, the second aware of the first."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.columns import Reason
from sage_select.ops import Select
from sage_select.strategies.base import Picks, Pool
from sage_select.strategies.cells import cells
from sage_select.strategies.diversity import diverse_picks

__all__ = ["MOST_CELLS", "hybrid", "score_picks"]

#: Most regions that the score part is spread over.
MOST_CELLS = 4096


def hybrid(pool: Pool, k: int, select: Select) -> Picks:
    """Pick `score_share` of `k` (rounded half up) by score, the rest by the objective.

    With `score_mode="stratified"` the score part takes rows from every region: as many cells as score picks
    (at most 4096), picks a cell by its size, around `score_quantile` of the difficulty within the cell. With
    20 % wrong labels this beats both random and diversity alone, where the hardest rows of all
    (`score_mode="top"`, the SAGE rule) fall behind random.
    """
    by_score = score_picks(select, k)
    scored, evidence = _score_part(pool, by_score, select)
    diverse = diverse_picks(pool, k - by_score, select, scored)
    no_gain = np.full(by_score, np.nan, np.float32)
    return Picks(
        np.concatenate([scored, diverse.indices]),
        np.concatenate([no_gain, diverse.gains]),
        ((Reason.SCORE, by_score), *diverse.reasons),
        {**evidence, **diverse.evidence},
    )


def score_picks(select: Select, k: int) -> int:
    """Return how many of `k` picks are by score.

    Examples
    --------
    >>> score_picks(Select(score_share=0.6), 8)
    5
    """
    return int(Fraction(str(select.score_share)) * k + Fraction(1, 2))


def _score_part(pool: Pool, count: int, select: Select) -> tuple[NDArray[np.int64], dict[str, Any]]:
    difficulty = pool.need_difficulty()
    if select.score_mode == "top" or count == 0:
        return kernels.top_k(difficulty, count, threads=pool.threads), {}
    how_many = min(count, MOST_CELLS)
    picks = kernels.stratified(difficulty, cells(pool, how_many), count, select.score_quantile)
    return picks, {"cells": how_many}
