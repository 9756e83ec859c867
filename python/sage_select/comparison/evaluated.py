"""What an adapter is evaluated on, and by which metrics: the same for every arm."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sage_select.comparison.cells import MetricRows
from sage_select.evaluate import EvaluationSession, HeldOut
from sage_select.evaluate.figures import AnyMetric, sums_of
from sage_select.evaluate.metrics import Metric
from sage_select.train import TrainConfig
from sage_select.train.stages import Stages

__all__ = ["Evaluator", "JudgedMetric"]

#: The evaluator of last resort: verdicts are by what a task asks for, where there is one.
_LOSS = "loss"


@dataclass(frozen=True)
class JudgedMetric:
    """A metric of an evaluator, as a comparison needs it: a function of sums over rows.

    Attributes
    ----------
    evaluator, name, definition, over, better
        Whose it is, and its words.
    values
        Sums (..., parts) -> values (...), NaN where there is none.
    counted
        Parts of which there must be ten rows for an interval.
    is_rate
        Whether it is the share of cases that are right.
    """

    evaluator: str
    name: str
    definition: str
    over: str
    better: str
    values: Callable[[Any], Any]
    counted: tuple[int, ...]
    is_rate: bool

    @classmethod
    def of(cls, evaluator: str, metric: AnyMetric) -> JudgedMetric:
        """Return a metric of an evaluator."""
        words = (metric.name, metric.definition, metric.over, metric.better)
        if isinstance(metric, Metric):
            counted = tuple(metric.parts.index(part) for part in metric.counted or metric.needs)
            return cls(evaluator, *words, metric.values, counted, metric.is_rate)
        return cls(evaluator, *words, metric.values, (1,), is_rate=False)


@dataclass(frozen=True)
class Evaluator:
    """Held-out rows, ready to evaluate every adapter on.

    Attributes
    ----------
    held_out
        The rows, and what is asked of them.
    config
        How the base model is held.
    stages
        Told what is going on.
    """

    held_out: HeldOut
    config: TrainConfig
    stages: Stages

    @property
    def metrics(self) -> Sequence[JudgedMetric]:
        """All metrics, the one that verdicts are of first: that of a task where there is one, else the loss."""
        asked = sorted(self.held_out.asked, key=lambda one: one.evaluator == _LOSS)
        return [JudgedMetric.of(one.evaluator, metric) for one in asked for metric in one.metrics]

    @property
    def identity(self) -> str:
        """What names the rows, and what is asked of them."""
        said = [
            self.held_out.row_ids,
            [[one.evaluator, one.why, sorted(map(str, one.facts.items()))] for one in self.held_out.asked],
            [one.input_ids for one in self.held_out.examples],
        ]
        return hashlib.blake2b(json.dumps(said).encode(), digest_size=16).hexdigest()

    def evaluate(self, weights: Path | None, digest: str | None, name: str) -> Mapping[str, MetricRows]:
        """Return what each row adds to each metric.

        Parameters
        ----------
        weights, digest
            The folder of what was trained, and what names it: another is refused. None for the base model.
        name
            What it is called where the work is told.

        Raises
        ------
        SageError
            As `EvaluationSession.measure`.
        """
        with EvaluationSession(self.config, stages=self.stages) as session:
            found = session.measure(self.held_out, weights, digest=digest, name=name)
        sums = {
            metric.name: sums_of(metric, measured.records) for measured in found.measured for metric in measured.metrics
        }
        return {name: MetricRows(one.row_ids, one.sums) for name, one in sums.items()}
