"""A curriculum that is decided while training: each round by the losses of the examples that are left before it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.display import counted
from sage_select.errors import DataError
from sage_select.train.config import TrainConfig
from sage_select.train.curricula import CURRICULA
from sage_select.train.rounds import Rounds, order_of_round
from sage_select.train.rounds_file import RoundRecord
from sage_select.train.schedule import Schedule
from sage_select.train.schedule_file import within_row

if TYPE_CHECKING:
    from sage_select.train.data import TrainingRows

__all__ = ["Pacing", "decides_meanwhile", "notices_of"]

#: Rows named in a message.
_NAMED: Final = 5


def decides_meanwhile(config: TrainConfig) -> bool:
    """Say whether the curriculum of a run decides while training what steps consume."""
    return CURRICULA[config.curriculum].choose is not None


class Pacing:
    """The rounds decided so far, and how the next one is.

    Parameters
    ----------
    outline
        The steps of the run, and how many examples each consumes.
    rows
        All examples.
    """

    def __init__(self, outline: Schedule, rows: TrainingRows, config: TrainConfig) -> None:
        choose = CURRICULA[config.curriculum].choose
        if choose is None:
            raise ValueError(f"the curriculum {config.curriculum} decides nothing")
        self.rounds = Rounds.of(len(rows.row_ids), config)
        self.records: list[RoundRecord] = []
        self._choose = choose
        self._seed = config.seed
        self._outline, self._rows = outline, rows
        self._ids = pa.array(rows.row_ids, pa.string())
        self._within = within_row(rows.row_ids)
        self._taken: list[NDArray[np.int64]] = []
        self._is_left = np.ones(len(rows.row_ids), np.bool_)

    @property
    def left(self) -> NDArray[np.int64]:
        """Places, ascending, of the examples among which the next round is chosen."""
        if self.rounds.begins_pass(len(self.records)):
            return np.arange(len(self._is_left))
        return np.flatnonzero(self._is_left)

    @property
    def chooses(self) -> bool:
        """Whether the next round takes some of the examples that are left, so that their losses are needed."""
        return self.rounds.chooses(len(self.records))

    def decide(self, losses: NDArray[np.float64] | None) -> RoundRecord:
        """Decide the next round by the losses of what is left, None where all of it is taken; return its record.

        Raises
        ------
        DataError
            If a loss is NaN or infinite.
        """
        number, left = len(self.records), self.left
        step = self.rounds.first_step(number)
        if losses is not None:
            self._refuse_faulty(left, losses, step)
        taken = order_of_round(
            number,
            left,
            losses,
            ids=self._ids,
            size=self.rounds.size(number),
            seed=self._seed,
            choose=self._choose,
        )
        if self.rounds.begins_pass(number):
            self._is_left[:] = True
        self._is_left[taken] = False
        self._taken.append(taken)
        named = ([self._rows.row_ids[place] for place in left], self._within[left].tolist())
        before = self.records[-1].digest if self.records else ""
        self.records.append(RoundRecord.of(number, step + 1, named, losses, taken, before=before))
        return self.records[-1]

    def follow(self, records: Iterable[RoundRecord]) -> None:
        """Decide rounds again, by the losses that were recorded.

        Raises
        ------
        DataError
            Naming the first round that follows otherwise.
        """
        for one in records:
            losses = np.array(one.losses) if self.chooses else None
            if len(one.losses) != (0 if losses is None else len(self.left)) or self.decide(losses) != one:
                raise DataError(
                    f"round {one.round} does not follow from the losses that were recorded, or is of other rows",
                    hint="the record was changed: start the run again with --force",
                )

    @property
    def schedule(self) -> Schedule:
        """The steps of the rounds decided so far."""
        outline = self._outline
        steps = min(self.rounds.first_step(len(self.records)), outline.steps)
        starts = outline.starts[: steps + 1]
        places = np.concatenate([np.zeros(0, np.int64), *self._taken])[: starts[-1]]
        return Schedule.taking(self._rows, starts, places, outline.phases[: starts[-1]])

    def measures_after(self, step: int) -> bool:
        """Say whether examples are measured between a step, counted from 1, and the next one."""
        number = self.rounds.begun(step)
        return step < self.rounds.steps and self.rounds.first_step(number) == step and self.rounds.chooses(number)

    def _refuse_faulty(self, left: NDArray[np.int64], losses: NDArray[np.float64], step: int) -> None:
        if not (faulty := np.flatnonzero(~np.isfinite(losses))).size:
            return
        named = ", ".join(f"{self._rows.row_ids[left[one]]} {losses[one]}" for one in faulty[:_NAMED])
        more = f", and {len(faulty) - _NAMED:,} more" if len(faulty) > _NAMED else ""
        begins = "training diverged: " if step else ""
        at = f"after step {step:,}, where the next round" if step else "before the first step, where the first round"
        raise DataError(
            f"{begins}the loss of {counted(len(faulty), 'example')} is no number {at} is decided",
            got=f"rows {named}{more}",
            hint="lower --learning-rate, lengthen --warmup or use --fp32 or --bf16; the checkpoints before it are kept"
            if step
            else "use --fp32 or --bf16, or mend these rows",
        )


def notices_of(schedule: Schedule, rows: TrainingRows, config: TrainConfig) -> list[str]:
    """Return what the user should know of a curriculum that is decided while training; nothing of others."""
    if not decides_meanwhile(config):
        return []
    rounds = Rounds.of(len(rows.row_ids), config)
    trained = int((-(-np.diff(schedule.starts) // config.batch_size)).sum())
    rows_measured = (
        f"what is left is measured before {len(rounds.measured):,} of them, which adds "
        f"{rounds.passes_to_measure(config.batch_size):,} forward passes without gradients to "
        f"the {trained:,} of {counted(schedule.steps, 'step')}" + (", of which --packing makes fewer" * config.packing)
    )
    notices = [
        f"the order is decided while training (--curriculum {config.curriculum}), in "
        f"{counted(rounds.count, 'round')}; " + (rows_measured if rounds.measured else "nothing has to be measured")
    ]
    if (there := len(rounds.sizes)) < config.rounds:
        notices.append(f"a pass has {counted(there, 'round')}, not {config.rounds:,}: there are no more examples")
    if (phases := len(rows.facts["phase"].drop_null().unique())) > 1:
        notices.append(f"the order of the selection, which has {phases:,} phases, is not followed")
    return notices
