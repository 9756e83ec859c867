"""The record of evaluations during training: one line each, and what follows from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sage_select.errors import DataError
from sage_select.train.json_lines import JsonLines, read_json_lines
from sage_select.train.methods import LIKELIHOOD

__all__ = ["EvaluationRecord", "Evaluations", "read_evaluations", "summary_of"]


@dataclass(frozen=True)
class EvaluationRecord:
    """One evaluation on held-out rows.

    Parameters
    ----------
    step
        The step after which it was made.
    loss
        Mean loss in nats per trained token, over all of these tokens alike.
    rows, tokens
        Held-out rows, and their trained tokens.
    """

    step: int
    loss: float
    rows: int
    tokens: int

    def check(self) -> None:
        """Raise TypeError or ValueError where a part is of another kind."""
        if any(type(one) is not int for one in (self.step, self.rows, self.tokens)):
            raise TypeError("counts are whole numbers")
        if not isinstance(self.loss, int | float) or not math.isfinite(self.loss):
            raise ValueError("the loss is a number")


class Evaluations:
    """The evaluations of a run, written as JSON lines. Until `open` the file is not touched.

    Parameters
    ----------
    path
        The file.
    steps
        Optimizer steps of the run.
    every
        Steps between two evaluations; the last step is evaluated as well.
    after
        Evaluations up to this step are kept from an earlier part of the run, later ones are cut off.
    written
        Whether they are written: by one process of several.

    Raises
    ------
    DataError
        The earlier part does not hold them. What follows them may be damaged.
    """

    def __init__(self, path: Path, *, steps: int, every: int, after: int, written: bool = True) -> None:
        self.every, self._steps = every, steps
        self._lines = JsonLines(path, written=written)
        self._made: list[EvaluationRecord] = []
        planned = [step for step in range(1, after + 1) if self.due(step)]
        if planned and path.is_file():
            for one in read_evaluations(path):
                # The last step of a run that goes further now was evaluated out of turn.
                if self.due(one.step):
                    self._made.append(one)
                if one.step >= planned[-1]:
                    break
        if [one.step for one in self._made] != planned:
            raise DataError(
                "the record of evaluations does not reach the checkpoint",
                where=str(path),
                expected=f"{len(planned)} evaluations up to step {after}",
                got=f"{len(self._made)}",
                hint="start the run again with --force",
            )

    def due(self, step: int) -> bool:
        """Say whether a step is followed by an evaluation."""
        return step % self.every == 0 or step == self._steps

    def open(self) -> None:
        """Put a record of the kept evaluations in the place of what is there, at once, and durably."""
        self._lines.open(map(asdict, self._made))

    def add(self, one: EvaluationRecord) -> bool:
        """Write an evaluation into the record, which must be open; say whether it is the best so far."""
        self._lines.write(asdict(one))
        self._made.append(one)
        return self.best is one

    def sync(self) -> None:
        """Bring all evaluations to the disk, so that no checkpoint outlives them."""
        self._lines.sync()

    def close(self) -> None:
        """Close the file, if it is open."""
        self._lines.close()

    def __iter__(self) -> Iterator[EvaluationRecord]:
        return iter(self._made)

    @property
    def last(self) -> EvaluationRecord | None:
        """The last one, None where there is none."""
        return self._made[-1] if self._made else None

    @property
    def best(self) -> EvaluationRecord | None:
        """The one with the lowest loss, of equal ones the first; None where there is none."""
        return _best(self._made)

    def stale(self, patience: int) -> bool:
        """Say whether so many evaluations in a row were no better than one before them."""
        best = self.best
        return best is not None and len(self._made) - 1 - self._made.index(best) >= patience

    def summary(self) -> dict[str, Any] | None:
        """Return what was evaluated, and the first, the best and the last one, as plain values; None without any."""
        return summary_of(self._made)


def summary_of(made: Sequence[EvaluationRecord]) -> dict[str, Any] | None:
    """Return what evaluations came to, as `Evaluations.summary` does."""
    best = _best(made)
    if best is None:
        return None
    ends = {"first": made[0], "best": best, "last": made[-1]}
    return {
        "rows": made[0].rows,
        "tokens": made[0].tokens,
        **{name: {"step": one.step, "loss": one.loss} for name, one in ends.items()},
        "loss_of": LIKELIHOOD,
    }


def _best(made: Sequence[EvaluationRecord]) -> EvaluationRecord | None:
    return min(made, key=lambda one: one.loss, default=None)


def read_evaluations(path: Path) -> Iterator[EvaluationRecord]:
    """Read a record of evaluations; a line torn by a crash ends it.

    Raises
    ------
    DataError
        A line is no such record.
    """
    return read_json_lines(path, _record, "evaluations")


def _record(values: Mapping[str, Any]) -> EvaluationRecord:
    one = EvaluationRecord(**values)
    one.check()
    return one
