"""Graph cut: rows that are like many rows and unlike each other."""

from __future__ import annotations

from functools import partial

from sage_select import kernels
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.objectives.base import Found
from sage_select.strategies.objectives.similarities import over_similarities
from sage_select.strategies.wish import Wish

__all__ = ["graph_cut"]


def graph_cut(pool: Pool, wish: Wish, select: Select) -> Found:
    """Pick greedily for cut_lambda sum over rows i and s in S of sim(i, s) - sum over s and t in S of sim(s, t).

    Similarities are clipped at 0 (Iyer and Bilmes 2013).
    """
    return over_similarities(partial(kernels.graph_cut, weight=select.cut_lambda), pool, wish, select)
