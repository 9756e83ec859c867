"""Held-out rows, tokenised and in forward passes, and the loss of a model on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from sage_select.train.collate import StepCollator
from sage_select.train.evaluations import EvaluationRecord
from sage_select.train.own_loss import RowLosses, as_in_use
from sage_select.train.packing import Layout
from sage_select.train.schedule import NO_PHASE, Schedule

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
            for one in self._passes():
                found = losses(model, one)
                sums.extend(found.sums.double().tolist())
                tokens += int(found.tokens.sum())
        return EvaluationRecord(step, math.fsum(sums) / tokens, self.rows.summary.rows_trained, tokens)

    def _passes(self) -> Iterator[dict[str, torch.Tensor]]:
        lengths = self.rows.lengths
        places = np.argsort(-lengths, kind="stable")
        count = len(places)
        starts = np.r_[np.arange(0, count, self.batch_size), count].astype(np.int64)
        nothing = pa.chunked_array([pa.nulls(count, pa.string())])
        weights, phases = np.ones(count, np.float32), np.full(count, NO_PHASE, np.int32)
        schedule = Schedule(starts, places, weights, phases, nothing, nothing, count)
        layout = Layout.in_order(starts, lengths[places], per_pass=self.batch_size)
        collate = StepCollator(self.rows.table, schedule, layout, self.pad_token_id)
        for number in range(schedule.steps):
            yield from collate([{"step": number}])["passes"]
