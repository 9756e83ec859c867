"""The rounds of a run: how many examples each has, which steps are its own, and which examples it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.errors import UsageError
from sage_select.kernels import keyed_hashes
from sage_select.seeds import stage_key
from sage_select.train.curricula import CURRICULA, Chooser

if TYPE_CHECKING:
    from sage_select.train.config import TrainConfig

__all__ = ["Rounds", "order_of_round"]

#: More examples than these are no run.
_MOST: Final = 2**31 - 1


@dataclass(frozen=True)
class Rounds:
    """The rounds of all passes, and their steps: known before it is known which examples they take.

    Without a curriculum a pass is one round. No step has examples of two rounds.

    Parameters
    ----------
    sizes
        int64 (rounds of a pass): examples of each.
    step_sizes
        int64 (steps of a pass): examples of each.
    first_steps
        int64 (rounds of a pass + 1): where in a pass the steps of each round begin, and where the last ones end.
    steps
        Steps of the run.
    """

    sizes: NDArray[np.int64]
    step_sizes: NDArray[np.int64]
    first_steps: NDArray[np.int64]
    steps: int

    @classmethod
    def of(cls, examples: int, config: TrainConfig) -> Rounds:
        """Return the rounds of a run over so many examples: `max_steps` steps, else the passes in whole steps.

        Raises
        ------
        UsageError
            If the run would never end.
        """
        per_step = config.batch_size * config.gradient_accumulation
        sizes = _sizes(examples, config)
        counts = -(-sizes // per_step)
        first_steps = np.r_[0, np.cumsum(counts)]
        number = np.arange(first_steps[-1]) - np.repeat(first_steps[:-1], counts)
        step_sizes = np.minimum(per_step, np.repeat(sizes, counts) - per_step * number)
        steps = config.max_steps or math.ceil(config.epochs * len(step_sizes))
        whole, rest = divmod(steps, len(step_sizes))
        entries = whole * examples + int(step_sizes[:rest].sum())
        if entries > _MOST:
            raise UsageError(
                "the run would consume too many rows",
                expected=f"at most {_MOST:,}",
                got=f"{entries:,} in {steps:,} steps",
                hint="lower --max-steps or --epochs",
            )
        return cls(sizes, step_sizes, first_steps, steps)

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where the entries of each step begin, and where the last ones end: int64 (steps + 1)."""
        sizes = self.step_sizes[np.arange(self.steps) % len(self.step_sizes)]
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])

    @property
    def of_steps(self) -> NDArray[np.int64]:
        """The round of each step, counted through all passes from 0."""
        passes, step = np.divmod(np.arange(self.steps), len(self.step_sizes))
        within: NDArray[np.int64] = np.searchsorted(self.first_steps, step, side="right") - 1
        return passes * len(self.sizes) + within

    @property
    def count(self) -> int:
        """Rounds that the run begins."""
        return self.begun(self.steps)

    def first_step(self, number: int) -> int:
        """Return the step, from 0, with which a round begins, or would."""
        passes, within = divmod(number, len(self.sizes))
        return passes * len(self.step_sizes) + int(self.first_steps[within])

    def begun(self, step: int) -> int:
        """Return the rounds of which a step was taken within so many steps, of a run that goes so far."""
        passes, within = divmod(step, len(self.step_sizes))
        return passes * len(self.sizes) + int(np.searchsorted(self.first_steps, within, side="left"))

    def size(self, number: int) -> int:
        """Return the examples of a round."""
        return int(self.sizes[number % len(self.sizes)])

    def begins_pass(self, number: int) -> bool:
        """Say whether no example of its pass was taken before a round."""
        return number % len(self.sizes) == 0

    def chooses(self, number: int) -> bool:
        """Say whether a round takes some of the examples that are left, and not all of them."""
        return (number + 1) % len(self.sizes) != 0

    @property
    def measured(self) -> list[int]:
        """Examples that are left before each round that chooses among them."""
        left = np.cumsum(self.sizes[::-1])[::-1]
        return [int(left[one % len(left)]) for one in range(self.count) if self.chooses(one)]

    def passes_to_measure(self, batch_size: int) -> int:
        """Return the forward passes by which these are measured."""
        return sum(-(-left // batch_size) for left in self.measured)


def _sizes(examples: int, config: TrainConfig) -> NDArray[np.int64]:
    """Return the examples of each round of a pass: of those left, the share of one round of those left, rounded up."""
    if CURRICULA.need(config.curriculum).choose is None:
        return np.array([examples], np.int64)
    sizes, left = [], examples
    for rounds_left in range(min(config.rounds, examples), 0, -1):
        sizes.append(-(-left // rounds_left))
        left -= sizes[-1]
    return np.array(sizes, np.int64)


def order_of_round(
    number: int,
    left: NDArray[np.int64],
    losses: NDArray[np.float64] | None,
    *,
    ids: pa.Array,
    size: int,
    seed: int,
    choose: Chooser,
) -> NDArray[np.int64]:
    """Return the places of the examples of a round, in the order in which they are trained.

    Those of a round are shuffled by a keyed hash of the ids of their rows, examples of one row by their place; ties of
    losses are broken by another.

    Parameters
    ----------
    number
        The round, from 0 through all passes.
    left
        int64: places of the examples that its pass has not trained, ascending.
    losses
        float64: mean loss per trained token of each of these; None: all of them are taken.
    ids
        Id of the row of each example, by its place.
    size
        Examples of the round.
    seed
        That of the run.
    choose
        The rule of the curriculum.

    Notes
    -----
    Cost: two keyed hashes an example, and two sorts.
    """
    taken = left
    if losses is not None:
        ties = keyed_hashes(stage_key(seed, f"curriculum/{number}/ties"), ids.take(pa.array(left)))
        taken = np.sort(left[choose(losses, ties, size)])
    shuffle = keyed_hashes(stage_key(seed, f"curriculum/{number}"), ids.take(pa.array(taken)))
    return taken[np.argsort(shuffle, kind="stable")]
