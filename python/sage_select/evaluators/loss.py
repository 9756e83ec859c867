"""How likely the model finds the trained tokens of rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from sage_select.errors import UsageError
from sage_select.evaluate.asked_model import AskedModel
from sage_select.evaluate.evaluator import Asked, Evaluator, NotHere, evaluator
from sage_select.evaluate.material import Material
from sage_select.evaluate.metrics import Figure, RowSums
from sage_select.evaluate.statistics import Interval, loss_interval
from sage_select.evaluate.statistics.paired import Difference, compare_rows
from sage_select.train.stages import Stages

__all__ = ["Loss", "LossRecord"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class LossRecord:
    """The loss of a row.

    Parameters
    ----------
    row_id
        The row.
    loss
        The sum of the losses of its trained tokens, in nats.
    tokens
        How many these are.
    """

    row_id: str
    loss: float
    tokens: int


class _OfLosses:
    """What is a function of the losses of rows, and of how many tokens these have."""

    group, better, over = "loss", "lower", "trained tokens"

    def difference(self, arm: Sequence[Sequence[LossRecord]], control: Sequence[Sequence[LossRecord]]) -> Difference:
        rows = [one.row_id for one in control[0]]
        if any([one.row_id for one in records] != rows for records in (*arm, *control)):
            raise UsageError("the two are not measured on the same rows")
        return compare_rows(self.values, *(np.stack(list(map(_sums, one))) for one in (arm, control)), counted=[1])

    @staticmethod
    def sums(records: Sequence[LossRecord]) -> RowSums:
        """Return the losses and tokens of each row."""
        return RowSums(tuple(one.row_id for one in records), _sums(records), len(records))

    @staticmethod
    def values(sums: Floats) -> Floats:
        """Return the value of sums (..., 2) of losses and tokens."""
        raise NotImplementedError


class _MeanLoss(_OfLosses):
    """The mean loss of a trained token over all rows: a sum over tokens, so that no batch size changes it."""

    name = "loss"
    definition = "Mean negative log-likelihood of a trained token, in nats, each token of all rows weighing the same."

    def figure(self, records: Sequence[LossRecord]) -> Figure:
        sums = _sums(records)
        value = float(self.values(sums.sum(axis=0)))
        return Figure(value, None, loss_interval(sums[:, 0], sums[:, 1]), len(records), int(sums[:, 1].sum()))

    @staticmethod
    def values(sums: Floats) -> Floats:
        """Return mean losses."""
        return np.asarray(sums[..., 0] / sums[..., 1])


class _Perplexity(_OfLosses):
    """The loss as a number of tokens that the model hesitates between."""

    name = "perplexity"
    definition = "e to the power of the loss."

    def figure(self, records: Sequence[LossRecord]) -> Figure:
        found = _LOSS.figure(records)
        low_high = found.interval.bounds
        bounds = None if low_high is None else (_power(low_high[0]), _power(low_high[1]))
        value = None if found.value is None else _power(found.value)
        interval = Interval(bounds, found.interval.why_none)
        return Figure(value, found.why_none, interval, found.rows, found.records)

    @staticmethod
    def values(sums: Floats) -> Floats:
        """Return perplexities."""
        return np.asarray(np.exp(np.minimum(sums[..., 0] / sums[..., 1], _HIGHEST)))


def _sums(records: Sequence[LossRecord]) -> Floats:
    return np.array([(one.loss, one.tokens) for one in records], np.float64).reshape(len(records), 2)


def _power(loss: float) -> float:
    return math.exp(min(loss, _HIGHEST))


#: Of a higher loss there is no perplexity that a number holds.
_HIGHEST: Final = 700.0
_LOSS = _MeanLoss()


@evaluator("loss", place=10)
class Loss(Evaluator):
    """How likely the model finds the tokens that training would learn from: loss and perplexity."""

    def prepare(self, material: Material) -> Asked | NotHere:
        """Return the training examples of the rows."""
        examples, owners, row_ids = material.examples, material.owners, material.row_ids

        def answer(model: AskedModel, stages: Stages, name: str) -> Sequence[LossRecord]:
            with stages(f"loss of {name}") as progress:
                losses = model.losses(examples, progress)
            sums, tokens = [0.0] * len(row_ids), [0] * len(row_ids)
            for row, one, loss in zip(owners, examples, losses, strict=True):
                sums[row] += loss
                tokens[row] += one.trained
            return [LossRecord(*one) for one in zip(row_ids, sums, tokens, strict=True)]

        trained = sum(one.trained for one in examples)
        return Asked(
            evaluator=self.name,
            why=f"{len(row_ids):,} rows have {trained:,} trained tokens",
            metrics=(_LOSS, _Perplexity()),
            answer=answer,
            facts={"rows": len(row_ids), "tokens": trained},
        )
