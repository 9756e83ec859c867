"""What a strategy is given and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.errors import UsageError
from sage_select.kernels import Matrix
from sage_select.ops import Select
from sage_select.seeds import stage_key
from sage_select.strategies.wish import Wish

__all__ = ["Groups", "Picks", "Pool", "Strategy"]


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
    queries
        Vectors (q, d) that `target` looks for, or None.
    pinned, excluded
        Numbers of rows that are selected in any case, and of rows that are not.
    groups
        The values of the column of a quota, or None.
    lengths
        Whole numbers (n,): the tokens of each row, where the budget is in tokens; else None.
    named
        Function from a row number to what the user calls the row.
    has_ids
        Whether rows have ids: then draws and starts follow these, wherever the rows stand.
    threads
        Threads to use, None for all.
    progress
        Called with (done, total) by the long kernels.
    """

    n: int
    seed: int
    hashes: Callable[[int], NDArray[np.uint64]]
    difficulty: NDArray[np.float32] | None = None
    matrix: Matrix | None = None
    queries: NDArray[Any] | None = None
    pinned: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    excluded: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    groups: Groups | None = None
    lengths: NDArray[np.int64] | None = None
    named: Callable[[int], str] = "row {}".format
    has_ids: bool = False
    threads: int | None = None
    progress: Callable[[int, int], None] | None = None

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

    def draw_order(self, stage: str) -> NDArray[np.int64] | None:
        """Return all rows by their keyed hashes, or None where the numbers of rows are all that names them."""
        if not self.has_ids:
            return None
        return kernels.bottom_k_hashes(self.hashes(stage_key(self.seed, stage)), self.n, threads=self.threads)

    def start(self, wish: Wish, stage: str) -> int | None:
        """Return the row to begin with: the first in the draw order that can be picked.

        None where rows have no ids (the lowest is first then), where some are preselected, and where nothing is picked.
        """
        order = self.draw_order(stage) if wish.count and not len(wish.given) else None
        if order is None:
            return None
        first = kernels.in_order(self.n, order, 1, **wish.terms)
        return int(first[0]) if len(first) else None


@dataclass(frozen=True)
class Picks:
    """The chosen rows.

    Attributes
    ----------
    indices
        int64 (k,), row numbers in pick order, none twice.
    gains
        float32 (k,), the objective's gain at each pick; NaN where the rule has none.
    reasons
        (reason, count) runs in pick order; the counts add up to k.
    evidence
        Facts for the manifest: which method, how many cells, digests.
    regions
        int32 (n,): the cell of each row, where rows were taken by cells.
    """

    indices: NDArray[np.int64]
    gains: NDArray[np.float32]
    reasons: tuple[tuple[str, int], ...]
    evidence: Mapping[str, Any] = field(default_factory=dict)
    regions: NDArray[np.int32] | None = None

    @classmethod
    def without_gains(cls, indices: NDArray[np.int64], reason: str, evidence: Mapping[str, Any] | None = None) -> Picks:
        """Return picks that all have one reason and no gain."""
        return cls(indices, np.full(len(indices), np.nan, np.float32), ((reason, len(indices)),), evidence or {})

    def first(self, k: int) -> Picks:
        """Return the first `k` of these picks."""
        reasons, left = [], k
        for reason, count in self.reasons:
            reasons.append((reason, min(count, left)))
            left -= reasons[-1][1]
        return Picks(self.indices[:k], self.gains[:k], tuple(reasons), self.evidence, self.regions)

    def then(self, others: Picks) -> Picks:
        """Return these picks and after them the others."""
        return Picks(
            np.concatenate([self.indices, others.indices]),
            np.concatenate([self.gains, others.gains]),
            (*self.reasons, *others.reasons),
            {**self.evidence, **others.evidence},
            others.regions if self.regions is None else self.regions,
        )


class Strategy(Protocol):
    """A rule that picks rows under the options of `select`."""

    def __call__(self, pool: Pool, wish: Wish, select: Select, /) -> Picks:
        """Return the picks that `wish` asks for, in order."""
        ...
