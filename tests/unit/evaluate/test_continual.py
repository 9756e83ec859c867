"""Metrics of continual learning: by hand on a small matrix, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sage_select.errors import DataError, UsageError
from sage_select.evaluate.continual import METRICS, ScoreMatrix, continual_metrics

R = [[0.9, 0.2, 0.1], [0.6, 0.8, 0.3], [0.7, 0.5, 1.0]]
TASKS = ["a", "b", "c"]


def rows(**beside: list[float]) -> list[dict[str, Any]]:
    cells = [(TASKS[i], TASKS[j], R[i][j]) for i in range(3) for j in range(3)]
    cells += [
        (after, task, score) for after, scores in beside.items() for task, score in zip(TASKS, scores, strict=True)
    ]
    return [{"after": after, "task": task, "score": score} for after, task, score in cells]


def values(matrix: ScoreMatrix) -> dict[str, float | None]:
    return {one.name: one.value(matrix) for one in METRICS}


def test_every_metric_is_what_its_formula_says() -> None:
    matrix = ScoreMatrix.of(rows(untrained=[0.1, 0.1, 0.1], joint=[0.9, 0.9, 0.95], alone=[1.0, 0.8, 1.0]))
    expected = {
        "average accuracy": (0.7 + 0.5 + 1.0) / 3,
        "average incremental accuracy": (0.9 + (0.6 + 0.8) / 2 + (0.7 + 0.5 + 1.0) / 3) / 3,
        "backward transfer": ((0.7 - 0.9) + (0.5 - 0.8)) / 2,
        "forward transfer": ((0.2 - 0.1) + (0.3 - 0.1)) / 2,
        "forgetting (max before)": ((0.9 - 0.7) + (0.8 - 0.5)) / 2,
        "forgetting (first)": ((0.9 - 0.7) + (0.8 - 0.5)) / 2,
        "worst task": 0.5,
        "intransigence": 0.95 - 1.0,
        "relative gain": (0.7 / 1.0 + 0.5 / 0.8) / 2,
    }
    assert values(matrix) == pytest.approx(expected)


def test_the_two_kinds_of_forgetting_differ_where_a_task_got_better_before_it_got_worse() -> None:
    table = [{"after": a, "task": t, "score": s} for a, t, s in [
        ("a", "a", 0.5), ("a", "b", 0.0), ("a", "c", 0.0), ("b", "a", 0.9), ("b", "b", 0.6), ("b", "c", 0.0),
        ("c", "a", 0.7), ("c", "b", 0.6), ("c", "c", 1.0)]]  # fmt: skip
    found = values(ScoreMatrix.of(table))
    assert found["forgetting (max before)"] == pytest.approx((0.9 - 0.7) / 2)
    assert found["forgetting (first)"] == pytest.approx((0.5 - 0.7) / 2)
    assert found["backward transfer"] == pytest.approx((0.7 - 0.5) / 2)


def test_what_was_not_measured_has_no_value() -> None:
    found = values(ScoreMatrix.of(rows()))
    assert [name for name, value in found.items() if value is None] == [
        "forward transfer",
        "intransigence",
        "relative gain",
    ]
    one = ScoreMatrix.of([{"after": "a", "task": "a", "score": 0.5}])
    assert [metric.name for metric in continual_metrics(one)] == [
        "average accuracy", "average incremental accuracy", "worst task"]  # fmt: skip


def test_the_order_of_rows_does_not_matter_where_that_of_tasks_is_given() -> None:
    table = pa.Table.from_pylist(rows())
    shuffled = table.take(pa.array(np.random.default_rng(0).permutation(9)))
    assert values(ScoreMatrix.of(shuffled, TASKS)) == values(ScoreMatrix.of(table))


@pytest.mark.parametrize(
    ("table", "error", "says"),
    [
        (rows()[1:], DataError, "1 of 3 scores after 'a' are missing"),
        ([*rows(), rows()[0]], DataError, "there twice"),
        ([{**rows()[0], "score": None}, *rows()[1:]], DataError, "null"),
        ([{"after": "a", "task": "a"}], UsageError, "no scores by task"),
        (rows(untrained=[0.1, 0.1, 0.1])[9:], DataError, "no task was trained"),
    ],
)
def test_what_is_no_matrix_is_refused(table: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        ScoreMatrix.of(table)


@pytest.mark.parametrize("tasks", [["a", "b"], ["a", "b", "c", "d"], ["a", "b", "b"]])
def test_tasks_that_are_not_those_of_the_scores_are_refused(tasks: list[str]) -> None:
    with pytest.raises(UsageError, match="not those of the scores"):
        ScoreMatrix.of(rows(), tasks)


def test_nan_is_refused() -> None:
    table = pa.table({"after": ["a"], "task": ["a"], "score": [float("nan")]})
    with pytest.raises(DataError, match="not finite"):
        ScoreMatrix.of(table)
