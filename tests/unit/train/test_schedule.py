"""The plan: all rows in order in every pass."""

from __future__ import annotations

import math

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
