"""What happens at the end of each step: the ledger, progress, the health check, checkpoints, and stopping."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sage_select.errors import DataError
from sage_select.train.adapter import is_finite
from sage_select.train.checkpoints import prune, seal
from sage_select.train.interrupt import Stop
from sage_select.train.ledger import Ledger

__all__ = ["StepEnd"]


class StepEnd(TrainerCallback):  # type: ignore[misc]
    """Ends each step; must come after the library's own flow control.

    Parameters
    ----------
    ledger
        Told that the step is done.
    progress
        Called with (step, steps, words on the loss).
    stop
        When set, the run writes a checkpoint and stops.
    fingerprint
        The run, for the seal of its checkpoints.
    first_step
        Called after the first step that is taken here.
    keep
        Number of checkpoints kept.
    save_seconds
        A checkpoint is written where the last is older than this; None: only where the steps say so.
    clock
        Seconds, from any beginning.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        progress: Callable[[int, int, str], None],
        stop: Stop,
        first_step: Callable[[], None],
        fingerprint: str,
        keep: int,
        save_seconds: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._progress = progress
        self._stop = stop
        self._first_step: Callable[[], None] | None = first_step
        self._fingerprint = fingerprint
        self._keep = keep
        self._save_seconds = save_seconds
        self._clock = clock
        self._saved = clock()

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
        done = self._ledger.end_step()
        if self._first_step is not None:
            self._first_step()
            self._first_step = None
        self._progress(state.global_step, state.max_steps, f"loss {done.mean_loss:.3f}")
        if self._save_seconds is not None and self._clock() - self._saved >= self._save_seconds:
            control.should_save = True
        if self._stop.signal is not None:
            control.should_save = True
            control.should_training_stop = True
        if control.should_save and not is_finite(model):
            raise DataError(
                f"training diverged: the adapter holds NaN or infinite numbers after step {state.global_step}",
                hint="lower --learning-rate, lengthen --warmup or use --fp32 or --bf16; "
                "the checkpoints before it are kept",
            )

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Seal the checkpoint just written, then drop the oldest."""
        self._ledger.sync()
        checkpoints = Path(args.output_dir)
        seal(checkpoints / f"checkpoint-{state.global_step}", self._fingerprint)
        prune(checkpoints, self._keep)
        self._saved = self._clock()
