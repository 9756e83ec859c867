"""How many optimizer steps a run may take for a budget of tokens, so that every arm learns from as many."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np

from sage_select.train import TrainConfig, preflight
from sage_select.train.schedule import Schedule
from sage_select.train.stages import Stages

__all__ = ["Steps", "steps_within", "tokens_of"]

#: How often a run with replay is laid out anew, as how much is replayed follows from its length.
_TRIES: Final = 4


class Steps(NamedTuple):
    """Optimizer steps, and the tokens of the rows that they consume, trained or not, without padding."""

    steps: int
    tokens: int


def tokens_of(selection: Any, config: TrainConfig, stages: Stages) -> int:
    """Return the tokens of one pass over a selection.

    Raises
    ------
    SageError
        As `sage_select.train.preflight`.
    """
    return int(_flown(selection, config, stages).prepared.rows.lengths.sum())


def steps_within(selection: Any, config: TrainConfig, tokens: int, stages: Stages) -> Steps:
    """Return the steps of a run that consumes as nearly as can be so many tokens: by half a step at most.

    A run with a replay buffer, of which what it replays follows from how long it is, may be off by one step.

    Parameters
    ----------
    selection, config
        As `train` takes them; how long the run is by `config` does not count.
    tokens
        The budget.
    stages
        Told what is going on.

    Raises
    ------
    SageError
        As `sage_select.train.preflight`.

    Notes
    -----
    Cost: the rows are tokenised; with replay up to four times.
    """
    if config.replay is not None:
        return _replaying(selection, config, tokens, stages)
    rows = _flown(selection, config, stages).prepared.rows
    passes = math.ceil(tokens / int(rows.lengths.sum())) + 1
    schedule = Schedule.of(rows, config.changed(max_steps=None, epochs=float(passes)))
    return _nearest(np.cumsum(np.add.reduceat(rows.lengths[schedule.places], schedule.starts[:-1])), tokens)


def _replaying(selection: Any, config: TrainConfig, tokens: int, stages: Stages) -> Steps:
    found = steps_within(selection, config.changed(**_NO_REPLAY), tokens, stages)
    tried: list[Steps] = []
    for _ in range(_TRIES):
        flight = _flown(selection, config.changed(max_steps=found.steps), stages)
        here = Steps(flight.schedule.steps, flight.schedule.tokens)
        tried.append(here)
        next_steps = max(1, round(here.steps * tokens / here.tokens))
        if next_steps == here.steps:
            break
        found = Steps(next_steps, 0)
    return min(tried, key=lambda one: abs(one.tokens - tokens))


#: Settings that count beside a buffer alone, as they are by default.
_NO_REPLAY: Final = {name: info.default for name, info in TrainConfig.model_fields.items() if name.startswith("replay")}


def _flown(selection: Any, config: TrainConfig, stages: Stages) -> Any:
    return preflight(selection, config, stages=stages, check=False)


def _nearest(taken: np.ndarray[Any, np.dtype[np.int64]], tokens: int) -> Steps:
    """Return the step after which as nearly as can be so many tokens were taken, at least the first."""
    step = int(np.argmin(np.abs(taken - tokens)))
    return Steps(step + 1, int(taken[step]))
