"""The rows that a strategy chooses from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.data import Predictions
from sage_select.errors import UsageError
from sage_select.kernels import Matrix
from sage_select.seeds import stage_key
from sage_select.strategies.request import SelectionRequest

__all__ = ["HASHED_BYTES", "Context", "Groups", "Pool", "take_admissible"]

#: Bytes a row of hashing ids: 16 for the id as the kernel takes it, 8 for its hash.
HASHED_BYTES: Final = 24


@dataclass(frozen=True)
class Groups:
    """The values of a column by which rows are counted.

    Attributes
    ----------
    of
        Whole numbers (n,): the number of the value of each row.
    names
        The values, by their numbers.
    """

    of: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Context:
    """Rows that are labelled already and are none of the pool.

    Attributes
    ----------
    vectors
        float32 (m, d), by the encoder of the pool.
    hashes
        As of a pool.
    """

    vectors: NDArray[np.float32]
    hashes: Callable[[int], NDArray[np.uint64]]


@dataclass(frozen=True)
class Pool:
    """The rows to choose from.

    Attributes
    ----------
    n
        Number of rows.
    seed
        The run seed; each strategy derives the key of its own stage from it.
    hashes
        Function from a stage key to one uint64 a row, a pure function of key and row id.
    difficulty
        float32 (n,), a higher number is a harder row; None where the strategy needs none.
    matrix
        The checked vectors (n, d), or None.
    predictions
        What a model predicts of each row; None where the strategy needs none.
    queries
        Vectors (q, d) that `target` looks for, or None.
    pinned, excluded
        Numbers of rows that are selected in any case, and of rows that are not.
    preselected, context
        Rows that are labelled already, or selected before: numbers of rows of the pool, excluded too, and others.
    groups
        The values of the column of a quota, or None.
    lengths
        Whole numbers (n,): the tokens of each row, where the budget is in tokens; else None.
    label
        Function from a row number to what the user calls the row.
    has_ids
        Whether rows have ids: then draws and starts follow these, whatever the order of the rows.
    threads
        Threads to use, None for all.
    progress
        Called with (done, total) by the long kernels.
    of_words
        Whether the difficulty is that of the words alone, which knows nothing of how right a row is.
    """

    n: int
    seed: int
    hashes: Callable[[int], NDArray[np.uint64]]
    difficulty: NDArray[np.float32] | None = None
    matrix: Matrix | None = None
    predictions: Predictions | None = None
    queries: NDArray[Any] | None = None
    pinned: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    excluded: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    preselected: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    context: Context | None = None
    groups: Groups | None = None
    lengths: NDArray[np.int64] | None = None
    label: Callable[[int], str] = "row {}".format
    has_ids: bool = False
    threads: int | None = None
    progress: Callable[[int, int], None] | None = None
    of_words: bool = False

    def need_difficulty(self) -> NDArray[np.float32]:
        """Return the difficulties, or say that they are missing."""
        if self.difficulty is None:
            raise UsageError("this strategy needs scores", hint="pass scores, or choose random or diversity")
        return self.difficulty

    def need_matrix(self) -> Matrix:
        """Return the vectors, or say that they are missing."""
        if self.matrix is None:
            raise UsageError("this strategy needs embeddings", hint="pass embeddings, or choose random or loss_topk")
        return self.matrix

    def need_probabilities(self) -> Matrix:
        """Return the probabilities of classes, or say that they are missing."""
        found = None if self.predictions is None else self.predictions.probabilities
        if found is None:
            raise UsageError("this strategy needs probabilities of classes", hint="pass probabilities")
        return found

    def need_log_likelihoods(self) -> NDArray[np.float32]:
        """Return how likely a model finds what it writes for each row, or say that this is missing."""
        found = None if self.predictions is None else self.predictions.log_likelihoods
        if found is None:
            raise UsageError("this measure needs what a model writes", hint="name one with --generate-model")
        return found

    def draw_order(self, stage: str) -> NDArray[np.int64] | None:
        """Return all rows by their keyed hashes, or None where the numbers of rows are all that names them."""
        if not self.has_ids:
            return None
        return kernels.bottom_k_hashes(self.hashes(stage_key(self.seed, stage)), self.n, threads=self.threads)

    def start(self, request: SelectionRequest, stage: str) -> int | None:
        """Return the row to begin with: the first in the draw order that can be picked.

        None where rows have no ids (the lowest is first then), where some are preselected, and where nothing is picked.
        """
        order = self.draw_order(stage) if request.count and not len(request.preselected) else None
        if order is None:
            return None
        first = take_admissible(dataclasses.replace(request, count=1), self, order)
        return int(first[0]) if len(first) else None


def take_admissible(request: SelectionRequest, pool: Pool, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first admissible rows of an order, as many as are requested.

    Parameters
    ----------
    request
        How many rows, and within which limits.
    pool
        The rows.
    order
        int64 (m,): rows in the order in which they are to be taken, none twice.
    """
    return kernels.take_admissible(pool.n, order, request.for_kernels)
