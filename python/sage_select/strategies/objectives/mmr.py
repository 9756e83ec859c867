"""Maximal marginal relevance: hard rows unlike those picked before."""

from __future__ import annotations

from sage_select import kernels
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.objectives.base import Found
from sage_select.strategies.standing import standing
from sage_select.strategies.wish import Wish

__all__ = ["mmr"]


def mmr(pool: Pool, wish: Wish, select: Select) -> Found:
    """Pick by mmr_lambda relevance_i - (1 - mmr_lambda) max over s in S of sim(i, s) (Carbonell and Goldstein 1998).

    The relevance of a row is the share of rows that are easier: from 0 to 1 like a similarity, whatever the scale of
    the scores.
    """
    relevance = standing(pool.need_difficulty())
    greedy = kernels.mmr(
        pool.need_matrix(),
        relevance,
        wish.count,
        weight=select.mmr_lambda,
        **wish.terms,
        threads=pool.threads,
        progress=pool.progress,
    )
    return greedy, {}
