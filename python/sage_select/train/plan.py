"""The plan of a run: what each step consumes and how that lies in forward passes, known before it or decided in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sage_select.train.config import TrainConfig
from sage_select.train.pacing import Pacing, decides_meanwhile
from sage_select.train.packing import Layout
from sage_select.train.rounds import Rounds
from sage_select.train.rounds_file import RoundsRecord, read_rounds
from sage_select.train.schedule import Schedule

if TYPE_CHECKING:
    from sage_select.train.checkpoints import Checkpoint
    from sage_select.train.data import TrainingRows

__all__ = ["PacedPlan", "Plan", "plan_of", "recorded_schedule"]

#: In a checkpoint: how many rounds were begun, and what names them.
_NOTE: Final = "rounds.json"

#: Gives losses of the examples at places.
Measure = Callable[[NDArray[np.int64]], NDArray[np.float64]]


class Plan:
    """What each step consumes, all of it known before the first.

    Parameters
    ----------
    outline
        The steps, and how many examples each consumes; of one that is decided meanwhile, no more than that.
    lay
        Lays the examples of steps into their forward passes.

    Attributes
    ----------
    outline
        As given.
    schedule, layout
        What the steps consume, and how it lies in forward passes, as far as it is decided.
    """

    #: Whether a step is decided when it is due, and not before.
    meanwhile = False

    def __init__(self, outline: Schedule, lay: Callable[[Schedule], Layout]) -> None:
        self.outline = outline
        self._lay = lay
        self._follow(outline)

    def _follow(self, schedule: Schedule) -> None:
        self.schedule, self.layout = schedule, self._lay(schedule)
        self._tokens = np.add.reduceat(self.layout.lengths, schedule.starts[:-1])

    def tokens(self, step: int) -> int:
        """Return the tokens of the rows of a step, from 1, that is decided."""
        return int(self._tokens[step - 1])

    def reach(self, step: int, measure: Measure) -> None:
        """Decide what a step, from 0, consumes, if it is not: by the losses that `measure` gives."""

    def open(self) -> None:
        """Begin to write down what is decided: the first step has been taken."""

    def measures_after(self, step: int) -> bool:  # noqa: ARG002
        """Say whether examples are measured between a step, from 1, and the next one."""
        return False

    def note(self, checkpoint: Path, step: int) -> None:
        """Write into the checkpoint of a step, which is not sealed yet, what was decided until then."""

    def proved(self) -> Schedule:
        """Return what the steps had to consume, from what was written down alone where that was decided meanwhile."""
        return self.schedule

    def close(self) -> None:
        """Close what is open."""


class PacedPlan(Plan):
    """A plan of which each round is decided when its first step is due.

    Parameters
    ----------
    rows, config
        All examples, and the settings of the run.
    record
        Holds the rounds decided before, and receives each that is.
    grown
        Called when a round has been decided and written down.
    """

    meanwhile = True

    def __init__(
        self,
        outline: Schedule,
        lay: Callable[[Schedule], Layout],
        *,
        rows: TrainingRows,
        config: TrainConfig,
        record: RoundsRecord,
        grown: Callable[[], None],
    ) -> None:
        self._pacing, self._record, self._grown = Pacing(outline, rows, config), record, grown
        self._anew = partial(Pacing, outline, rows, config)
        self._pacing.follow(record.made)
        super().__init__(outline, lay)

    def _follow(self, schedule: Schedule) -> None:
        if self._pacing.records:
            super()._follow(self._pacing.schedule)
        else:
            self.schedule = schedule.first(0)
            self.layout = Layout.in_order(self.schedule.starts, np.zeros(0, np.int64), per_pass=1)

    def reach(self, step: int, measure: Measure) -> None:
        """Decide the round that a step, from 0, begins, if it is not decided."""
        if step < self.schedule.steps:
            return
        self._record.add(self._pacing.decide(measure(self._pacing.left) if self._pacing.chooses else None))
        self._follow(self.outline)
        if self._record.is_open:
            self._grown()

    def open(self) -> None:
        """Write down the rounds so far, and from now on each as it is decided."""
        self._record.open()

    def measures_after(self, step: int) -> bool:
        """Say whether examples are measured between a step, from 1, and the next one."""
        return self._pacing.measures_after(step)

    def note(self, checkpoint: Path, step: int) -> None:
        """Write how many rounds were begun until a step, and what names them."""
        begun = self._pacing.rounds.begun(step)
        note = {"rounds": begun, "digest": self._pacing.records[begun - 1].digest}
        (checkpoint / _NOTE).write_text(json.dumps(note) + "\n", encoding="utf-8")

    def proved(self) -> Schedule:
        """Return what follows from the losses that were written down.

        Raises
        ------
        AssertionError
            If that is not what the steps were given, which is a fault of ours.
        """
        pacing = self._anew()
        pacing.follow(read_rounds(self._record.path))
        schedule = pacing.schedule
        if not np.array_equal(schedule.places, self.schedule.places):
            raise AssertionError("the schedule does not follow from the recorded losses")
        return schedule

    def close(self) -> None:
        """Close the record."""
        self._record.close()


def plan_of(
    outline: Schedule,
    lay: Callable[[Schedule], Layout],
    *,
    rows: TrainingRows,
    config: TrainConfig,
    path: Path,
    checkpoint: Checkpoint | None,
    written: bool,
    grown: Callable[[], None],
) -> Plan:
    """Return the plan of a run.

    Parameters
    ----------
    outline
        `Schedule.of` of the run.
    lay, rows, config, grown
        As `Plan` and `PacedPlan` take them.
    path
        The record of rounds, where they are decided while training.
    checkpoint
        The one that the run goes on from, if it does.
    written
        Whether the record is written by this process.

    Raises
    ------
    DataError
        If the record does not reach the checkpoint, or is not the one of it.
    """
    if not decides_meanwhile(config):
        return Plan(outline, lay)
    record = _record(rows, config, path, checkpoint, written=written)
    return PacedPlan(outline, lay, rows=rows, config=config, record=record, grown=grown)


def recorded_schedule(
    outline: Schedule, rows: TrainingRows, config: TrainConfig, path: Path, checkpoint: Checkpoint | None
) -> Schedule:
    """Return the steps of a run that are known at a checkpoint: all of them as a rule."""
    if not decides_meanwhile(config):
        return outline
    pacing = Pacing(outline, rows, config)
    pacing.follow(_record(rows, config, path, checkpoint, written=False).made)
    return pacing.schedule


def _record(
    rows: TrainingRows, config: TrainConfig, path: Path, checkpoint: Checkpoint | None, *, written: bool
) -> RoundsRecord:
    """Return the record of rounds as a checkpoint knows it; it raises DataError where that is another."""
    if checkpoint is None:
        return RoundsRecord(path, written=written)
    begun = Rounds.of(len(rows.row_ids), config).begun(checkpoint.step)
    record = RoundsRecord(path, begun=begun, next_step=checkpoint.step + 1, written=written)
    try:
        note = json.loads((checkpoint.folder / _NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        note = None
    expected = {"rounds": begun, "digest": record.made[begun - 1].digest}
    if note != expected:
        raise record.unfit(str(expected), str(note))
    return record
