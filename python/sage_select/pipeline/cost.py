"""What a step takes: bytes of memory as its code allocates them, and seconds by what this machine does in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sage_select.pipeline.rates import rates

if TYPE_CHECKING:
    from sage_select.data import Dataset
    from sage_select.io import DatasetEstimate
    from sage_select.pipeline.stage import Stage

__all__ = ["Cost", "Size", "in_turn"]


@dataclass(frozen=True)
class Size:
    """How much there is to work on where a step begins.

    Attributes
    ----------
    n
        Rows.
    input_n
        Rows of the input.
    exact
        Whether these are certain, rather than estimated.
    d
        Numbers in a vector; 0 where there are none, or it is not known how many.
    classes
        Classes of which something is predicted; 0 where nothing is, or it is not known how many there are.
    k
        Rows to pick.
    preselected
        Rows that are selected already.
    row_bytes, word_bytes
        Bytes of a row in the Arrow table, and of its words.
    threads
        Threads that work at once.
    later
        The stages that come after.
    data
        The first rows of the input, or all, where that says more than numbers do.
    source
        What is known of the files of the input.
    pool
        How much there was before the last choice of rows; None where there was none.
    """

    n: int
    input_n: int = 0
    exact: bool = True
    d: int = 0
    classes: int = 0
    k: int = 0
    preselected: int = 0
    row_bytes: float = 0.0
    word_bytes: float = 0.0
    threads: int = 1
    later: Sequence[Stage] = ()
    data: Dataset | None = None
    source: DatasetEstimate | None = None
    pool: Size | None = None

    @property
    def metric(self) -> str:
        """How the stages that come after compare vectors; cosine, for which these are scaled, only where all do."""
        return next((step.metric for step in self.later if step.metric not in (None, "cosine")), None) or "cosine"

    def seconds(
        self, *, multiply_adds: float = 0.0, text: float = 0.0, copied: float = 0.0, rows: float = 0.0
    ) -> float:
        """Return about how long so many multiply-adds (divided among the threads), bytes and rows take here.

        No figure made of it is worth more than its order of magnitude.
        """
        here = rates()
        others = text / here.text + copied / here.copied + rows / here.rows
        return multiply_adds / (here.multiply_adds * self.threads) + others

    def counted(self, rows: int, origin: str) -> Size:
        """Return the size with the number of rows of the input, which is now known; `origin` says by what."""
        if self.exact or self.source is None:
            return self
        share = self.n / max(1, rows)
        return replace(
            self,
            n=rows,
            input_n=rows,
            exact=True,
            row_bytes=self.row_bytes * share,
            word_bytes=self.word_bytes * share,
            source=replace(self.source, rows=rows, exact=True, origin=origin),
        )


@dataclass(frozen=True)
class Cost:
    """What a step takes.

    Attributes
    ----------
    memory
        Bytes at its height beyond what was held before it, those among them that it leaves.
    seconds
        How long it takes, roughly; None where nothing honest can be said.
    holds
        Bytes that it leaves for the steps after it.
    mapped
        Bytes of files that it maps: address space, but no memory that has to be there.
    """

    memory: float = 0.0
    seconds: float | None = 0.0
    holds: float = 0.0
    mapped: float = 0.0

    def then(self, other: Cost) -> Cost:
        """Return what both take, one after the other."""
        unknown = self.seconds is None or other.seconds is None
        return Cost(
            max(self.memory, self.holds + other.memory),
            None if unknown else (self.seconds or 0.0) + (other.seconds or 0.0),
            self.holds + other.holds,
            self.mapped + other.mapped,
        )


def in_turn(*costs: Cost | None) -> Cost | None:
    """Return what several steps take, one after the other; None where that of one is not known."""
    total = Cost()
    for cost in costs:
        if cost is None:
            return None
        total = total.then(cost)
    return total
