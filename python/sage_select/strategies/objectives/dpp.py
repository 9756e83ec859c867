"""The ridge determinant: rows that span much."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.ops import Select
from sage_select.strategies.base import Pool
from sage_select.strategies.objectives.base import Found
from sage_select.strategies.standing import standing
from sage_select.strategies.wish import Wish

__all__ = ["dpp"]


def dpp(pool: Pool, wish: Wish, select: Select) -> Found:
    """Pick greedily for log det of diag(q) (X X' + dpp_eps I) diag(q) over S (Chen et al. 2018).

    `q` goes from 1/2 for the easiest row to 1 for the hardest, and is 1 without scores. Then all rows of length 1 are
    as good a first pick: the one with the smallest keyed hash of its id is taken, or, without ids, the lowest.
    """
    matrix = pool.need_matrix()
    start = pool.start(wish, "dpp") if pool.difficulty is None and matrix.metric == "cosine" else None
    if start is not None:
        return _from(np.array([start]), pool, wish, select)
    quality = None if pool.difficulty is None else (1 + standing(pool.difficulty)) / 2
    greedy = kernels.ridge_dpp(
        matrix,
        wish.count,
        quality=quality,
        eps=select.dpp_eps,
        **wish.terms,
        threads=pool.threads,
        progress=pool.progress,
    )
    return greedy, {}


def _from(start: NDArray[np.int64], pool: Pool, wish: Wish, select: Select) -> Found:
    """Return the picks that begin with this row."""
    first = kernels.ridge_dpp(pool.need_matrix().only(start), 1, eps=select.dpp_eps, threads=pool.threads)
    others, facts = dpp(pool, wish.beside(start), select)
    greedy = others._replace(
        indices=np.concatenate([start, others.indices]), gains=np.concatenate([first.gains, others.gains])
    )
    return greedy, facts
