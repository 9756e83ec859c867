"""The plan: all rows in order in every pass."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.train import TrainConfig
from sage_select.train.schedule import Plan


@given(rows=st.integers(1, 60), batch=st.integers(1, 7), accumulation=st.integers(1, 5), passes=st.integers(1, 4))
def test_whole_passes_take_every_row_in_order_once_a_pass(
    rows: int, batch: int, accumulation: int, passes: int
) -> None:
    config = TrainConfig(model="m", batch_size=batch, gradient_accumulation=accumulation, epochs=passes)
    plan = Plan.of(rows, config)
    assert [place for step in plan for place in step] == list(range(rows)) * passes
    assert plan.steps == passes * math.ceil(rows / (batch * accumulation))
    assert all(0 < len(step) <= batch * accumulation for step in plan)


@given(rows=st.integers(1, 60), steps=st.integers(1, 50))
def test_max_steps_wins_over_epochs(rows: int, steps: int) -> None:
    plan = Plan.of(rows, TrainConfig(model="m", max_steps=steps))
    assert len(list(plan)) == steps


def test_another_order_is_noticed() -> None:
    plan = Plan(rows=3, rows_per_step=2, steps=2)
    plan.verify([["a", "b"], ["c"]], ["a", "b", "c"])
    for wrong in ([["b", "a"], ["c"]], [["a", "b"]], [["a", "b"], ["c"], ["a", "b"]]):
        with pytest.raises(AssertionError):
            plan.verify(wrong, ["a", "b", "c"])


@given(rows=st.integers(1, 60), per_step=st.integers(1, 70), steps=st.integers(1, 90))
def test_what_is_consumed_is_counted_row_by_row(rows: int, per_step: int, steps: int) -> None:
    plan = Plan(rows, per_step, steps)
    assert plan.consumed == sum(len(step) for step in plan)
    assert plan.passes == pytest.approx(plan.consumed / rows)


@pytest.mark.parametrize(
    ("rows", "settings", "passes"),
    [
        (1, {"epochs": 2}, 2),
        (5, {"epochs": 3, "batch_size": 2, "gradient_accumulation": 1}, 3),
        (16, {"max_steps": 1}, 1),
    ],
)
def test_passes_are_rows_consumed_a_row(rows: int, settings: dict[str, Any], passes: float) -> None:
    assert Plan.of(rows, TrainConfig(model="m", **settings)).passes == passes


def test_checkpoints_come_about_ten_times_a_run_unless_steps_are_given() -> None:
    plan = Plan(rows=4000, rows_per_step=16, steps=231)
    assert plan.save_interval(TrainConfig(model="m")) == 23
    assert plan.save_interval(TrainConfig(model="m", save_steps=200)) == 200
    assert Plan(rows=4, rows_per_step=16, steps=3).save_interval(TrainConfig(model="m")) == 1
