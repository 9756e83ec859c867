"""A run that does not learn stops."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sage_select.errors import DataError
from sage_select.train.health import Health

STATE: Any = SimpleNamespace(global_step=4)


def model(gradient: float | None = 1.0) -> torch.nn.Module:
    layer = torch.nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    if gradient is not None:
        layer.weight.grad = torch.full((2, 2), gradient)
    return layer


def look(health: Health, gradient: float) -> None:
    health.on_pre_optimizer_step(None, STATE, None, model=model(gradient))


@pytest.mark.parametrize("gradient", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_no_number_stops_the_run_at_once(gradient: float) -> None:
    with pytest.raises(DataError, match=r"the gradient became (nan|inf) at step 5"):
        look(Health(vocabulary=100, scaled=False), gradient)


def test_a_scaled_loss_may_overflow_while_its_scale_comes_down() -> None:
    health = Health(vocabulary=100, scaled=True)
    for _ in range(20):
        look(health, math.inf)
    look(health, 1.0)
    for _ in range(20):
        look(health, math.inf)
    with pytest.raises(DataError, match="became inf"):
        look(health, math.inf)


def test_gradients_of_zero_stop_the_run_after_three_in_a_row() -> None:
    health = Health(vocabulary=100, scaled=False)
    for gradient in (0.0, 0.0, 1e-30, 0.0, 0.0):
        look(health, gradient)
    with pytest.raises(DataError, match="the gradient is zero in 3 steps in a row"):
        look(health, 0.0)


@pytest.mark.parametrize(
    ("losses", "stops"),
    [
        ([2.0] * 10 + [9.0] * 10, True),
        ([2.0] * 10 + [9.0] * 9 + [2.0] + [9.0] * 9, False),
        ([0.2] * 10 + [3.0] * 50, False),  # a curriculum that grows harder
        ([9.0] * 60, False),  # a model that begins at chance
        ([4.0] * 10 + [5.0] * 50, False),  # above chance, but hardly above its beginning
        ([2.0] * 5 + [9.0] * 5 + [9.0] * 10, False),  # a beginning that is at chance on the whole
    ],
)
def test_a_loss_runs_away_where_it_stays_above_guessing(losses: list[float], stops: bool) -> None:
    health = Health(vocabulary=100, scaled=False)  # guessing: 4.6

    def run() -> None:
        for step, loss in enumerate(losses, start=1):
            health.step_ended(step, loss)

    if stops:
        with pytest.raises(DataError, match=r"ran away, above 4\.61 in the 10 steps up to step 20"):
            run()
    else:
        run()


def test_weights_that_are_as_they_were_are_no_result() -> None:
    health, trained = Health(vocabulary=100, scaled=False), model(None)
    health.on_train_begin(None, STATE, None, model=trained)
    with pytest.raises(DataError, match="after 4 steps no weight has changed"):
        health.on_train_end(None, STATE, None, model=trained)
    with torch.no_grad():
        trained.weight[:] = trained.weight.flip(0)  # the same numbers elsewhere
    health.on_train_end(None, STATE, None, model=trained)
    with torch.no_grad():
        trained.weight[0, 0] = torch.nextafter(trained.weight[0, 0], torch.tensor(9.0))
    health.on_train_begin(None, STATE, None, model=trained)
    with pytest.raises(DataError, match="nothing was learned"):
        health.on_train_end(None, STATE, None, model=trained)
