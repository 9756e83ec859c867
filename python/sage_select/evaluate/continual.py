"""Metrics of continual learning, each with the formula by which it was computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sage_select import io
from sage_select.errors import DataError, UsageError, Where, nearest

__all__ = ["METRICS", "ContinualMetric", "ScoreMatrix", "continual_metrics"]

#: What stands in `after` for a model that was trained on none of the tasks, on all at once, or on this task alone.
UNTRAINED: Final = "untrained"
JOINT: Final = "joint"
ALONE: Final = "alone"
_COLUMNS: Final = ("after", "task", "score")


@dataclass(frozen=True)
class ScoreMatrix:
    """Scores on each task after training on each, higher being better.

    Attributes
    ----------
    tasks
        The tasks in the order in which they were trained.
    scores
        float64 (T, T): `scores[i, j]` is the score on task j after training on task i.
    untrained, joint, alone
        float64 (T,): the score on each task of a model that was trained on none, on all at once, or on that task
        alone; None where it was not measured.

    Examples
    --------
    >>> rows = [{"after": a, "task": t, "score": s} for a, t, s in
    ...         [("one", "one", 0.9), ("one", "two", 0.1), ("two", "one", 0.7), ("two", "two", 0.8)]]
    >>> matrix = ScoreMatrix.of(rows)
    >>> {one.name: round(one.value(matrix), 3) for one in continual_metrics(matrix) if one.value(matrix) is not None}
    {'average accuracy': 0.75, 'average incremental accuracy': 0.825, 'backward transfer': -0.2, \
'forgetting (max before)': 0.2, 'forgetting (first)': 0.2, 'worst task': 0.7}
    """

    tasks: tuple[str, ...]
    scores: NDArray[np.float64]
    untrained: NDArray[np.float64] | None = None
    joint: NDArray[np.float64] | None = None
    alone: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, rows: Any, tasks: Sequence[str] | None = None) -> ScoreMatrix:
        """Return the matrix that a table holds.

        Parameters
        ----------
        rows
            A table, or a list of dictionaries: `after`, the task that was trained last, or `untrained`, `joint` or
            `alone`; `task`, on which was measured; `score`.
        tasks
            The tasks in the order in which they were trained; that of their first rows where nothing is said.

        Raises
        ------
        UsageError
            A column is missing, or a task that is named has no rows.
        DataError
            A score is missing, there twice, or no finite number.
        """
        return cls.of_rows(io.from_object(rows), tasks)

    @classmethod
    def of_rows(cls, rows: io.Rows, tasks: Sequence[str] | None = None) -> ScoreMatrix:
        """Return the matrix of rows as they were read from a file, whose numbers may be text."""
        names = rows.table.column_names
        for name in _COLUMNS:
            if name not in names:
                raise UsageError(
                    "no scores by task",
                    where=Where(file=rows.source, column=name),
                    expected=", ".join(_COLUMNS),
                    got=", ".join(names)[:200],
                    hint=nearest(name, names),
                )
        scores = io.numeric_column(rows, "score")
        cells: dict[tuple[str, str], float] = {}
        for row, one in enumerate(rows.table.select(["after", "task"]).to_pylist()):
            after, task, score = str(one["after"]), str(one["task"]), float(scores[row])
            if not math.isfinite(score):
                raise DataError("a score is no finite number", where=rows.where(row, "score"), got=str(score))
            if (after, task) in cells:
                got = f"task {task!r} after {after!r}"
                raise DataError("a score is there twice", where=rows.where(row, "score"), got=got)
            cells[after, task] = score
        found = [after for after, _ in cells if after not in (UNTRAINED, JOINT, ALONE)]
        if not found:
            raise DataError("no task was trained", expected="rows whose `after` is the name of a task", got="none")
        order = tuple(dict.fromkeys(found)) if tasks is None else tuple(map(str, tasks))
        if len(set(order)) < len(order) or set(order) != set(found):
            raise UsageError(
                "the tasks are not those of the scores", expected=", ".join(dict.fromkeys(found)), got=", ".join(order)
            )
        return cls(
            tasks=order,
            scores=np.array([_row(cells, after, order) for after in order]).reshape(len(order), len(order)),
            untrained=_measured(cells, UNTRAINED, order),
            joint=_measured(cells, JOINT, order),
            alone=_measured(cells, ALONE, order),
        )


@dataclass(frozen=True)
class ContinualMetric:
    """A metric.

    Attributes
    ----------
    name
        What it is called.
    formula
        What it is, R[i, j] being the score on task j after training on task i, of T tasks.
    source
        Who defined it so.
    better
        Whether a `higher` or a `lower` value is better.
    compute
        Function of a matrix to the value; None where what it needs was not measured, or there is one task alone.
    """

    name: str
    formula: str
    source: str
    better: str
    compute: Callable[[ScoreMatrix], float | None]

    def value(self, matrix: ScoreMatrix) -> float | None:
        """Return the value for a matrix, None where it has none."""
        found = self.compute(matrix)
        return None if found is None else float(found)


def continual_metrics(matrix: ScoreMatrix) -> tuple[ContinualMetric, ...]:
    """Return the metrics that a matrix has a value for."""
    return tuple(one for one in METRICS if one.value(matrix) is not None)


def _row(cells: Mapping[tuple[str, str], float], after: str, tasks: Sequence[str]) -> list[float]:
    missing = [task for task in tasks if (after, task) not in cells]
    if missing:
        raise DataError(
            f"{len(missing):,} of {len(tasks):,} scores after {after!r} are missing",
            expected="a score on each task, those that are trained later among them",
            got=f"none on {missing[0]!r}",
        )
    return [cells[after, task] for task in tasks]


def _measured(cells: Mapping[tuple[str, str], float], after: str, tasks: Sequence[str]) -> NDArray[np.float64] | None:
    return np.array(_row(cells, after, tasks)) if any(one == after for one, _ in cells) else None


def _several(compute: Callable[[ScoreMatrix], float]) -> Callable[[ScoreMatrix], float | None]:
    """Return the function, without a value for a single task: nothing comes before or after it."""
    return lambda matrix: compute(matrix) if len(matrix.tasks) > 1 else None


def _mean_so_far(matrix: ScoreMatrix) -> float:
    return float(np.mean([row[: place + 1].mean() for place, row in enumerate(matrix.scores)]))


def _forgotten(matrix: ScoreMatrix) -> float:
    return float((matrix.scores[:-1].max(axis=0)[:-1] - matrix.scores[-1][:-1]).mean())


def _lost(matrix: ScoreMatrix) -> float:
    return float((np.diag(matrix.scores)[:-1] - matrix.scores[-1][:-1]).mean())


def _forward(matrix: ScoreMatrix) -> float | None:
    if matrix.untrained is None or len(matrix.tasks) < 2:
        return None
    return float((np.diag(matrix.scores, 1) - matrix.untrained[1:]).mean())


def _intransigence(matrix: ScoreMatrix) -> float | None:
    return None if matrix.joint is None else float(matrix.joint[-1] - matrix.scores[-1, -1])


def _gain(matrix: ScoreMatrix) -> float | None:
    if matrix.alone is None or len(matrix.tasks) < 2 or (matrix.alone[:-1] <= 0).any():
        return None
    return float((matrix.scores[-1][:-1] / matrix.alone[:-1]).mean())


#: All metrics. Other programs call other things by some of these names: the formula says which is meant.
METRICS: Final = (
    ContinualMetric(
        "average accuracy", "1/T sum_j R[T,j]", "GEM, arXiv 1706.08840", "higher", lambda m: m.scores[-1].mean()
    ),
    ContinualMetric(
        "average incremental accuracy",
        "1/T sum_i 1/i sum_{j<=i} R[i,j]",
        "iCaRL, arXiv 1611.07725",
        "higher",
        _mean_so_far,
    ),
    ContinualMetric(
        "backward transfer",
        "1/(T-1) sum_{j<T} (R[T,j] - R[j,j])",
        "GEM, arXiv 1706.08840",
        "higher",
        _several(lambda m: -_lost(m)),
    ),
    ContinualMetric(
        "forward transfer",
        "1/(T-1) sum_{j>=2} (R[j-1,j] - b[j]), b: untrained",
        "GEM, arXiv 1706.08840",
        "higher",
        _forward,
    ),
    ContinualMetric(
        "forgetting (max before)",
        "1/(T-1) sum_{j<T} (max_{l<T} R[l,j] - R[T,j])",
        "RWalk, arXiv 1801.10112",
        "lower",
        _several(_forgotten),
    ),
    ContinualMetric(
        "forgetting (first)",
        "1/(T-1) sum_{j<T} (R[j,j] - R[T,j])",
        "Avalanche, arXiv 2104.00405",
        "lower",
        _several(_lost),
    ),
    ContinualMetric(
        "worst task", "min_j R[T,j]", "De Lange et al., arXiv 2205.13452", "higher", lambda m: m.scores[-1].min()
    ),
    ContinualMetric(
        "intransigence",
        "J[T] - R[T,T], J: trained on all tasks at once",
        "RWalk, arXiv 1801.10112",
        "lower",
        _intransigence,
    ),
    ContinualMetric(
        "relative gain",
        "1/(T-1) sum_{j<T} R[T,j] / A[j], A: trained on the task alone",
        "InsCL, arXiv 2403.11435",
        "higher",
        _gain,
    ),
)  # fmt: skip
