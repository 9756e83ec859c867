"""What evidence is about: a selection, and what is known of the rows that it was made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sage_select.kernels import Matrix
from sage_select.strategies import Groups

__all__ = ["Comparison"]


@dataclass(frozen=True)
class Comparison:
    """A selection and its rows.

    Attributes
    ----------
    n
        Number of rows.
    picks
        int64 (k,), the rows that were selected.
    seed
        The run seed, from which the keys of all draws derive.
    hashes
        Function from a stage key to one uint64 a row, a pure function of key and row id.
    matrix
        The vectors (n, d), or None: then nothing is told of coverage.
    queries
        Vectors (q, d) that the picks were to match, or None.
    scores
        float32 (n,), or None.
    lengths
        Function from row numbers to their lengths, int64, or None.
    unit
        What lengths count.
    groups
        The groups of the rows, or None.
    costs
        int64 (n,), what each row takes of the budget, where that is no number of rows.
    excluded
        Rows that could not be picked, and are in no random subset.
    subsets
        How many random subsets it is compared with.
    threads
        Threads to use, None for all.
    progress
        Called with (done, total) meanwhile.
    """

    n: int
    picks: NDArray[np.int64]
    seed: int
    hashes: Callable[[int], NDArray[np.uint64]]
    matrix: Matrix | None = None
    queries: NDArray[Any] | None = None
    scores: NDArray[np.float32] | None = None
    lengths: Callable[[NDArray[np.int64]], NDArray[np.int64]] | None = None
    unit: str = "words"
    groups: Groups | None = None
    costs: NDArray[np.int64] | None = None
    excluded: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    subsets: int = 5
    threads: int | None = None
    progress: Callable[[int, int], None] | None = None
