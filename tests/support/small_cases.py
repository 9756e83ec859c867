"""Matrices of small whole numbers, full of ties: a few rows, and as many as kernels take in several blocks.

And what greedy rules pick of them, by definition.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

__all__ = ["greedy", "many_rows", "tied"]


@st.composite
def tied(draw: st.DrawFn) -> tuple[NDArray[np.float32], int, list[int]]:
    """Rows of small whole numbers (exact sums, ties, copies), a count and rows given."""
    n, d = draw(st.integers(0, 25)), draw(st.integers(1, 18))
    data = np.random.default_rng(draw(st.integers(0, 999))).integers(-2, 3, (n, d)).astype(np.float32)
    given = draw(st.lists(st.integers(0, n - 1), unique=True, max_size=4)) if n else []
    return data, draw(st.integers(0, n - len(given))), given


def many_rows(n: int, d: int = 7) -> NDArray[np.float32]:
    """Return rows of small whole numbers. Kernels take up to 4,096 rows in a block: two and a bit are 9,001."""
    return np.random.default_rng(n).integers(-2, 3, (n, d)).astype(np.float32)


def greedy(
    k: int, preselected: list[int], gains_beside: Callable[[list[int]], NDArray[Any]]
) -> tuple[list[int], list[float]]:
    """Return picks and their gains: each is the lowest of the rows that gain most beside those selected before."""
    taken, gains = list(preselected), []
    for _ in range(k):
        gain = gains_beside(taken)
        free = gain.copy()
        free[taken] = -np.inf
        taken.append(int(free.argmax()))
        gains.append(float(gain[taken[-1]]))
    return taken[len(preselected) :], gains
