"""Evaluation during training: when it happens, and what it decides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transformers import TrainerControl

from sage_select.errors import DataError
from sage_select.train.evaluations import Evaluations

if TYPE_CHECKING:
    from sage_select.train.held_out import HeldOutLoss
    from sage_select.train.trainer import OrderedTrainer

__all__ = ["Evaluating"]


@dataclass(frozen=True)
class Evaluating:
    """Evaluates a model after the steps where that is due, keeps the best weights and stops where none get better.

    Parameters
    ----------
    loss
        Of the held-out rows.
    record
        Receives each evaluation.
    trainer
        Whose model is evaluated, and who tells of it.
    patience
        Evaluations in a row that may be no better; None: any number.
    keeps_best
        Whether the best weights are wanted in the end.
    """

    loss: HeldOutLoss
    record: Evaluations
    trainer: OrderedTrainer
    patience: int | None
    keeps_best: bool

    def step_ended(self, control: TrainerControl) -> None:
        """Evaluate where it is due; ask for a checkpoint of the best weights, and for the end where it has come.

        Raises
        ------
        DataError
            If the loss is no number.
        """
        step = self.trainer.state.global_step
        if not self.record.due(step):
            return
        found = self.loss(self.trainer.model, self.trainer.row_losses, step)
        if not math.isfinite(found.loss):
            raise DataError(
                f"training diverged: the loss on the held-out rows became {found.loss} after step {step}",
                hint="lower --learning-rate, lengthen --warmup or use --fp32 or --bf16; the checkpoints before it are "
                "kept",
            )
        best = self.record.add(found)
        # Whoever is told of a value believes that the step has been told.
        should_log = control.should_log
        self.trainer.log({"eval_loss": found.loss})
        control.should_log = should_log
        if best and self.keeps_best:
            control.should_save = True
        if self.over:
            control.should_save = True
            control.should_training_stop = True

    @property
    def over(self) -> bool:
        """Whether the run is to stop, by the evaluations made."""
        return self.patience is not None and self.record.stale(self.patience)

    @property
    def kept(self) -> int | None:
        """The step whose checkpoint must stay."""
        best = self.record.best
        return best.step if self.keeps_best and best is not None else None
