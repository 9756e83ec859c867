"""D2 sampling: rows drawn by their squared distance to those before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.ops import Select
from sage_select.seeds import stage_key
from sage_select.strategies.base import Pool
from sage_select.strategies.objectives.base import Found

__all__ = ["d2"]


def d2(pool: Pool, k: int, _select: Select, given: NDArray[np.int64]) -> Found:
    """Draw rows as k-means++ is seeded: sum of squared distances within 8 (ln k + 2) of the best k (2007), expected.

    Draws are keyed by their number and rows are known by their place, so that another order of rows is another draw.
    """
    greedy = kernels.d2(
        pool.need_matrix(),
        k,
        key=stage_key(pool.seed, "d2"),
        given=given,
        threads=pool.threads,
        progress=pool.progress,
    )
    return greedy, {}
