"""Maximal marginal relevance: hard rows unlike those picked before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.objectives.base import Found, standing

__all__ = ["mmr"]


def mmr(pool: Pool, k: int, select: Select, given: NDArray[np.int64]) -> Found:
    """Pick by mmr_lambda relevance_i - (1 - mmr_lambda) max over s in S of sim(i, s) (Carbonell and Goldstein 1998).

    The relevance of a row is the share of rows that are easier: from 0 to 1 like a similarity, whatever the scale of
    the scores.
    """
    relevance = standing(pool.need_difficulty())
    greedy = kernels.mmr(
        pool.need_matrix(),
        relevance,
        k,
        weight=select.mmr_lambda,
        given=given,
        threads=pool.threads,
        progress=pool.progress,
    )
    return greedy, {}
