"""Which training examples each optimizer step consumes: the table that training follows and the record must match."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select.train.config import TrainConfig
from sage_select.train.curricula import CURRICULA
from sage_select.train.rounds import Rounds
from sage_select.values.order import kendall_tau

if TYPE_CHECKING:
    from sage_select.train.data import TrainingRows

__all__ = ["NO_PHASE", "Schedule"]

#: The phase of a row without one.
NO_PHASE: Final = -1


@dataclass(frozen=True)
class Schedule:
    """The examples that each step consumes, in the order of the steps; one entry for each time one is consumed.

    Parameters
    ----------
    starts
        int64 (steps + 1): where the entries of each step begin, and where the last ones end.
    places
        int64 (entries): the place of the example among all examples, which lie in the order of the selection.
    weights
        float32 (entries): what multiplies the loss of the example.
    phases
        int32 (entries): the phase that it belongs to, -1 where it has none.
    origins, parents
        Strings (entries): `core`, `replayed` or `augmented`, and the id of the row that the row was made of.
    tasks
        Strings (entries): the group under which a replay buffer holds, or takes, the row; null where none is known.
    examples
        Number of all examples of the selection; those of rows that are replayed have the places behind them.
    """

    starts: NDArray[np.int64]
    places: NDArray[np.int64]
    weights: NDArray[np.float32]
    phases: NDArray[np.int32]
    origins: pa.ChunkedArray
    parents: pa.ChunkedArray
    tasks: pa.ChunkedArray
    examples: int

    @classmethod
    def of(cls, rows: TrainingRows, config: TrainConfig) -> Schedule:
        """Return the schedule of a selection: every pass takes all examples in order, its last step perhaps fewer.

        There are `max_steps` steps, else the passes rounded up to whole steps. Under a curriculum that is decided while
        training this is its outline: the steps and the round of each are what they will be, the examples are not.
        """
        rounds = Rounds.of(len(rows.row_ids), config)
        starts = rounds.starts
        places = np.arange(starts[-1], dtype=np.int64) % len(rows.row_ids)
        phases = rows.facts["phase"].fill_null(NO_PHASE).to_numpy()[places]
        if CURRICULA[config.curriculum].choose is not None:
            phases = np.repeat(rounds.of_steps, np.diff(starts)).astype(np.int32)
        return cls.taking(rows, starts, places, phases)

    @classmethod
    def taking(
        cls, rows: TrainingRows, starts: NDArray[np.int64], places: NDArray[np.int64], phases: NDArray[np.int32]
    ) -> Schedule:
        """Return the schedule of these examples, each as the selection has it."""
        taken = pa.array(places)
        return cls(
            starts=starts,
            places=places,
            weights=rows.table["weight"].to_numpy()[places],
            phases=phases,
            origins=rows.facts["origin"].take(taken),
            parents=rows.facts["parent_id"].take(taken),
            tasks=rows.facts["task"].take(taken),
            examples=len(rows.row_ids),
        )

    @property
    def steps(self) -> int:
        """Optimizer steps of the run."""
        return len(self.starts) - 1

    @property
    def step_of(self) -> NDArray[np.int64]:
        """The step of each entry, from 0."""
        return np.repeat(np.arange(self.steps), np.diff(self.starts))

    def passes(self, step: int) -> float:
        """Return how often each example of the selection has been consumed after so many steps, on average."""
        return np.count_nonzero(self.places[: self.starts[step]] < self.examples) / self.examples

    def save_interval(self, config: TrainConfig) -> int:
        """Return the steps between two checkpoints: those of the settings, else a tenth of the run."""
        return config.save_steps or max(1, self.steps // 10)

    def digest(self, order_digest: str) -> str:
        """Return what names the schedule: 32 hex characters over all that it says but tasks, which train nothing.

        Parameters
        ----------
        order_digest
            That of the ids of all examples in order.
        """
        digest = hashlib.blake2b(order_digest.encode(), digest_size=16)
        for numbers in (self.starts, self.places, self.weights, self.phases):
            digest.update(np.ascontiguousarray(numbers).data)
        for texts in (self.origins, self.parents):
            coded = pc.dictionary_encode(texts.combine_chunks())
            digest.update("\n".join(coded.dictionary.to_pylist()).encode())
            digest.update(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype("<i4"))
        return digest.hexdigest()

    def verify(self, consumed: Iterable[Sequence[str]], row_ids: Sequence[str]) -> None:
        """Prove that the rows consumed in each step are those of the schedule.

        Raises
        ------
        AssertionError
            If they are not, which is a fault of ours.
        """
        planned = ([row_ids[place] for place in places] for places in self)
        if any(one is None or two is None or list(one) != two for one, two in _pairs(consumed, planned)):
            raise AssertionError("the rows were not consumed in the planned order")

    def first(self, steps: int) -> Schedule:
        """Return the first of its steps."""
        end = int(self.starts[steps])
        return replace(
            self,
            starts=self.starts[: steps + 1],
            places=self.places[:end],
            weights=self.weights[:end],
            phases=self.phases[:end],
            origins=self.origins.slice(0, end),
            parents=self.parents.slice(0, end),
            tasks=self.tasks.slice(0, end),
        )

    def agreement(self) -> float | None:
        """Return Kendall's tau between the order of the selection and the steps that first consume each example.

        Two examples of one step, which are trained together, count as neither.
        """
        seen, first = np.unique(self.places, return_index=True)
        of_selection = first[seen < self.examples]
        return kendall_tau(self.step_of[of_selection]) if len(of_selection) else None

    def __iter__(self) -> Iterator[list[int]]:
        for start, end in zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True):
            yield self.places[start:end].tolist()


def _pairs(one: Iterable[Any], two: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield pairs, with None where one of the two has ended before the other."""
    first, second = iter(one), iter(two)
    while True:
        pair = next(first, None), next(second, None)
        if pair == (None, None):
            return
        yield pair
