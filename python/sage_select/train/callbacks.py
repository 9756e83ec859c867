"""What happens at the end of each step: the ledger, the log, progress, the health check, checkpoints, and stopping."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import TensorBoardCallback

from sage_select.errors import DataError
from sage_select.train.adapter import is_finite
from sage_select.train.checkpoints import prune, seal
from sage_select.train.evaluating import Evaluating
from sage_select.train.health import Health
from sage_select.train.interrupt import Stop
from sage_select.train.ledger import Ledger, Step
from sage_select.train.meter import Meter, memory_in_words
from sage_select.train.plan import Plan
from sage_select.train.processes import ALONE, Processes

__all__ = ["StepEnd", "StepLog", "StoppedBetweenSteps"]


class StoppedBetweenSteps(Exception):  # noqa: N818 - never leaves the loop
    """The run was asked to stop where there is nothing to save.

    Either its first step was not taken, and what it was to replace stays, or a checkpoint was just written.
    """


class StepLog(TensorBoardCallback):  # type: ignore[misc]
    """Writes TensorBoard's log, from the first step that is taken on.

    Parameters
    ----------
    folder
        Receives the log.
    purge_step
        What was logged from this step on is hidden; None: nothing.
    """

    def __init__(self, folder: Path, *, purge_step: int | None) -> None:
        super().__init__()
        self.tb_writer: Any = None
        self._folder = folder
        self._purge_step = purge_step

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Write nothing yet."""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **known: Any,
    ) -> None:
        """Write the values, the first time after the settings; of several processes the first does."""
        if not state.is_world_process_zero:
            return
        if self.tb_writer is None:
            self.tb_writer = SummaryWriter(str(self._folder), purge_step=self._purge_step)
            super().on_train_begin(args, state, control, **known)
        # What the library counts as samples are our steps.
        told = {name: value for name, value in (logs or {}).items() if name != "train_samples_per_second"}
        super().on_log(args, state, control, told, **known)

    def close(self) -> None:
        """Close the log, if there is one."""
        if self.tb_writer is not None:
            self.tb_writer.close()


class StepEnd(TrainerCallback):  # type: ignore[misc]
    """Ends each step; must come after the library's own flow control.

    Parameters
    ----------
    ledger, health
        Told that the step is done, and of its loss.
    plan
        What steps consume.
    progress
        Called with (step, steps, how it goes in words).
    stop
        When set, the run writes a checkpoint and stops.
    identity
        What the run is known by, for the seal of its checkpoints.
    first_step, stepped
        Called when the first step that is to be recorded here has been taken, and when it is recorded.
    replaces
        Whether the run takes the place of another, which stays if it is stopped before that.
    keep
        Number of checkpoints kept.
    processes
        Those that decide together.
    evaluating
        Evaluates held-out rows; None: there are none.
    save_seconds
        A checkpoint is written where the last is older than this; None: only where the steps say so.
    clock
        Seconds, from any beginning.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        health: Health,
        plan: Plan,
        progress: Callable[[int, int, str], None],
        stop: Stop,
        first_step: Callable[[], None],
        stepped: Callable[[], None],
        replaces: bool,
        identity: Mapping[str, Any],
        keep: int,
        evaluating: Evaluating | None = None,
        save_seconds: float | None,
        processes: Processes = ALONE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._health = health
        self._plan = plan
        self._meter = Meter(clock)
        self._rate = 0.0
        self._progress = progress
        self._stop = stop
        self._first_step = first_step
        self._stepped = stepped
        self._replaces = replaces
        self._begun = False
        self._identity = identity
        self._keep = keep
        self._evaluating = evaluating
        self._save_seconds = save_seconds
        self._processes = processes
        self._clock = clock
        self._saved = clock()

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        self._meter.begin()

    def on_pre_optimizer_step(self, *_: Any, optimizer: torch.optim.Optimizer, **__: Any) -> None:
        """Take note of the rate of the step."""
        self._rate = float(optimizer.param_groups[0]["lr"])

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002 (the signature is the library's)
        state: TrainerState,
        control: TrainerControl,
        *,
        model: torch.nn.Module,
        **_: Any,
    ) -> None:
        """Record the step; refuse to save weights that are not numbers."""
        self._meter.end(self._plan.tokens(state.global_step))
        # To the library the whole run is one pass over the steps.
        state.epoch = self._plan.outline.passes(state.global_step)
        if not self._begun:
            if self._replaces and self._stopped():
                raise StoppedBetweenSteps
            self._first_step()
        done = self._ledger.end_step()
        if not self._begun:
            self._stepped()
            self._begun = True
        self._health.step_ended(state.global_step, done.mean_loss)
        if self._evaluating is not None:
            self._evaluating.step_ended(control)
        self._progress(state.global_step, state.max_steps, self._note(done))
        due = self._save_seconds is not None and self._clock() - self._saved >= self._save_seconds
        # What is measured takes long, and has to be done once.
        if self._processes.any(due) or self._plan.measures_after(state.global_step):
            control.should_save = True
        if self._stopped():
            control.should_save = True
            control.should_training_stop = True
        if control.should_save and not is_finite(model):
            raise DataError(
                f"training diverged: the adapter holds NaN or infinite numbers after step {state.global_step}",
                hint="lower --learning-rate, lengthen --warmup or use --fp32 or --bf16; "
                "the checkpoints before it are kept",
            )

    def _stopped(self) -> bool:
        """Return whether any of the processes was asked to stop."""
        return self._processes.any(self._stop.signal is not None)

    def _note(self, done: Step) -> str:
        """Say how it goes."""
        words = [f"loss {done.mean_loss:.3f}"]
        if self._evaluating is not None and (last := self._evaluating.record.last) is not None:
            words.append(f"eval {last.loss:.3f}")
        words.append(f"rate {self._rate:.2g}")
        if (speed := self._meter.tokens_per_second) is not None:
            words.append(f"{speed:,.0f} tokens/s")
        return ", ".join([*words, memory_in_words()])

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Seal the checkpoint just written, then drop the oldest."""
        self._saved = self._clock()
        # All have written their random states.
        self._processes.any(False)
        if not self._processes.is_first:
            return
        self._ledger.sync()
        if self._evaluating is not None:
            self._evaluating.record.sync()
        checkpoints = Path(args.output_dir)
        checkpoint = checkpoints / f"checkpoint-{state.global_step}"
        self._plan.note(checkpoint, state.global_step)
        seal(checkpoint, self._identity)
        prune(checkpoints, self._keep, None if self._evaluating is None else self._evaluating.kept)
        self._saved = self._clock()
