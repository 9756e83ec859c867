"""What an adapter is evaluated on, and by which metrics: the same for every arm."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from sage_select.comparison.cells import MetricRows
from sage_select.comparison.trained import TrainedArm
from sage_select.evaluate import Evaluation, HeldOut, Prediction, evaluate
from sage_select.evaluate.metrics import Metric
from sage_select.train import TrainConfig
from sage_select.train.stages import Stages

__all__ = ["Evaluator"]

#: The metrics, the first of them that has figures the one that verdicts are of.
_TOOLS: Final = Metric[Any](
    name="tool selection accuracy",
    group="tools",
    definition="of the turns that call tools, the share in which exactly the row's tools are called",
    over="turns that call tools",
    among=lambda one: bool(one.expected),
    contribution=lambda one: (float(one.correct), 1.0),
    parts=("right", "turns"),
    needs={"turns": "no turn calls a tool"},
)
_FALSE_CALLS: Final = Metric[Any](
    name="false-call rate",
    group="tools",
    definition="of the turns that call no tool, the share in which one is called, or something unreadable is",
    over="turns that call no tool",
    among=lambda one: not one.expected,
    contribution=lambda one: (float(not one.correct), 1.0),
    parts=("false calls", "turns"),
    needs={"turns": "every turn calls a tool"},
    better="lower",
)
_LOSS: Final = Metric[Any](
    name="loss",
    group="loss",
    definition="mean negative log-likelihood of a trained token, in nats",
    over="all rows",
    among=lambda _one: True,
    contribution=lambda one: (one[0], one[1]),
    parts=("loss", "tokens"),
    needs={"tokens": "no token is trained"},
    better="lower",
)


@dataclass(frozen=True)
class Evaluator:
    """Held-out rows, ready to evaluate every adapter on.

    Attributes
    ----------
    held_out
        The rows.
    config
        How the base model is held.
    stages
        Told what is going on.
    """

    held_out: HeldOut
    config: TrainConfig
    stages: Stages

    @property
    def metrics(self) -> Sequence[Metric[Any]]:
        """All metrics that these rows have figures of, the one that verdicts are of first."""
        asked = self.held_out.questions
        tools = [_TOOLS] if any(one.expected for one in asked) else []
        others = [_FALSE_CALLS] if any(not one.expected for one in asked) else []
        return [*tools, *others, _LOSS]

    @property
    def identity(self) -> str:
        """What names the rows and the way they are evaluated."""
        said = [
            self.held_out.row_ids,
            [(one.row, one.message) for one in self.held_out.questions],
            self.held_out.max_new_tokens,
            [one.input_ids for one in self.held_out.examples],
        ]
        return hashlib.blake2b(json.dumps(said).encode(), digest_size=16).hexdigest()

    def evaluate(self, trained: TrainedArm) -> Mapping[str, MetricRows]:
        """Return what each row adds to each metric under an adapter.

        Raises
        ------
        SageError
            As `sage_select.evaluate.evaluate`.
        """
        found: Evaluation = evaluate(
            self.config.model, trained.weights, self.held_out, config=self.config, stages=self.stages
        )
        losses = np.column_stack([found.row_losses, found.row_tokens]).astype(np.float64)
        metrics = {_LOSS.name: MetricRows(self.held_out.row_ids, losses)}
        for metric in self.metrics[:-1]:
            rows: dict[str, list[float]] = {}
            for one in found.predictions:
                if metric.among(one):
                    sums = rows.setdefault(one.row_id, [0.0, 0.0])
                    for place, part in enumerate(metric.contribution(one)):
                        sums[place] += part
            metrics[metric.name] = MetricRows(tuple(rows), np.array(list(rows.values())))
        return metrics
