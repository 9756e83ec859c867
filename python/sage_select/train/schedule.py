"""Which rows each optimizer step consumes: the plan that the ledger must match."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sage_select.train.config import TrainConfig

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """The steps of a run: every pass takes all rows in order, its last step perhaps a smaller one.

    Parameters
    ----------
    rows
        Number of trained rows.
    rows_per_step
        Batch size times accumulation.
    steps
        Optimizer steps of the run.

    Examples
    --------
    >>> list(Plan(rows=5, rows_per_step=2, steps=4))
    [range(0, 2), range(2, 4), range(4, 5), range(0, 2)]
    """

    rows: int
    rows_per_step: int
    steps: int

    @classmethod
    def of(cls, rows: int, config: TrainConfig) -> Plan:
        """Return the plan for this many rows: `max_steps`, else the passes rounded up to whole steps."""
        per_step = config.batch_size * config.gradient_accumulation
        steps = config.max_steps or math.ceil(config.epochs * math.ceil(rows / per_step))
        return cls(rows, per_step, steps)

    @property
    def consumed(self) -> int:
        """Rows consumed in all steps together, each as often as it is trained."""
        per_pass = math.ceil(self.rows / self.rows_per_step)
        whole, rest = divmod(self.steps, per_pass)
        return whole * self.rows + min(rest * self.rows_per_step, self.rows)

    @property
    def passes(self) -> float:
        """How often each row is trained, on average."""
        return self.consumed / self.rows

    def save_interval(self, config: TrainConfig) -> int:
        """Return the steps between two checkpoints: those of the settings, else a tenth of the run."""
        return config.save_steps or max(1, self.steps // 10)

    def verify(self, consumed: Sequence[Sequence[str]], row_ids: Sequence[str]) -> None:
        """Prove that the rows consumed in each step are the planned ones.

        Raises
        ------
        AssertionError
            If they are not, which is a fault of ours.
        """
        planned = [[row_ids[place] for place in step] for step in self]
        if [list(step) for step in consumed] != planned:
            raise AssertionError("the rows were not consumed in the planned order")

    def __iter__(self) -> Iterator[range]:
        per_pass = math.ceil(self.rows / self.rows_per_step)
        for step in range(self.steps):
            start = step % per_pass * self.rows_per_step
            yield range(start, min(start + self.rows_per_step, self.rows))
