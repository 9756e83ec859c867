"""Held-out rows, tokenised and in forward passes, and the loss of a model on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sage_select.train.evaluations import EvaluationRecord
from sage_select.train.measuring import ForwardPasses
from sage_select.train.own_loss import RowLosses, as_in_use

if TYPE_CHECKING:
    from sage_select.train.data import TrainingRows

__all__ = ["HeldOutLoss"]


@dataclass(frozen=True)
class HeldOutLoss:
    """Gives the mean loss of the trained tokens of held-out rows, whatever the size of a batch.

    Parameters
    ----------
    rows
        The rows, tokenised.
    batch_size
        Examples of a forward pass, those of about one length together.
    pad_token_id
        Fills sequences up.
    """

    rows: TrainingRows
    batch_size: int
    pad_token_id: int

    def __call__(
        self, model: Any, losses: Callable[[Any, dict[str, torch.Tensor]], RowLosses], step: int
    ) -> EvaluationRecord:
        """Return the evaluation after a step.

        The model, its gradients and the state of all random numbers stay as they are; dropout is off.

        Parameters
        ----------
        model
            As it is trained.
        losses
            Gives the losses of the rows of a forward pass, by the model and its inputs as `StepCollator` makes them.
        """
        sums: list[float] = []
        tokens = 0
        with as_in_use(model), torch.no_grad():
            for one in ForwardPasses(self.rows, np.arange(len(self.rows.row_ids)), self.batch_size, self.pad_token_id):
                found = losses(model, one)
                sums.extend(found.sums.double().tolist())
                tokens += int(found.tokens.sum())
        return EvaluationRecord(step, math.fsum(sums) / tokens, self.rows.summary.rows_trained, tokens)
