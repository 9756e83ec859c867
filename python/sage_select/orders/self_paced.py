"""Self-paced: bands of rising difficulty."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.orders.by_difficulty import ByDifficulty
from sage_select.orders.rule import Arrangement, order, sorted_by
from sage_select.pipeline.run import Run

__all__ = ["SelfPaced"]


@order("self_paced", place=70, needs_always=frozenset({"scores"}))
class SelfPaced(ByDifficulty):
    """Bands of the score, the easiest first, the rows of each shuffled.

    The rounds of self-paced learning (Kumar et al. 2010, NIPS) with rising thresholds of difficulty: those between
    equal parts of the rows. A row is in round floor(rounds * easier / n), where `easier` rows of n are easier than
    it: equal rows are in one round, and rounds may have more or fewer rows than others, or none. In the paper a round
    trains on all rows below its threshold, and losses are measured anew before each; here a row is seen once, by the
    score it came with.

    Phases: the round, from 0. Cost: a sort.
    """

    rounds: Annotated[int, Option("how many bands of the score come one after the other", ge=1, le=1_000_000)] = 4

    def arrange(self, shuffle: NDArray[np.int64], data: Dataset, run: Run) -> Arrangement:
        """Return the rows round after round."""
        difficulty = self.difficulty(data, run)
        easier = np.searchsorted(np.sort(difficulty), difficulty)
        round_of = (easier * self.rounds // max(data.n, 1)).astype(np.int32)
        used = len(np.unique(round_of))
        if 1 < used < self.rounds:
            run.reporter.notice(
                f"order self_paced: {used:,} of {self.rounds:,} rounds have rows, as "
                + ("there are fewer rows" if data.n < self.rounds else "many scores are equal")
            )
        rows = sorted_by(round_of, shuffle)
        return Arrangement(rows, round_of[rows])

    def describe(self) -> str:
        """Return the rule."""
        return f"{self.rounds:,} bands of the score, the easiest first, each by keyed hash"
