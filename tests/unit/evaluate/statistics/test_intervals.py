"""Intervals hold the truth about as often as they say, for few rows and for many."""

from __future__ import annotations

import numpy as np
import pytest

from sage_select.evaluate.statistics import FEWEST_ROWS, loss_interval, rate_interval, student_quantile


@pytest.mark.parametrize(("degrees", "value"), [(9, 2.262157), (11, 2.200985), (29, 2.045230), (99, 1.984217)])
def test_the_quantile_is_that_of_the_tables(degrees: int, value: float) -> None:
    assert student_quantile(degrees) == pytest.approx(value, abs=2e-5)


@pytest.mark.parametrize("rows", [10, 20, 40, 100])
@pytest.mark.parametrize("skewed", [False, True])
def test_intervals_of_losses_cover(rows: int, skewed: bool) -> None:
    generator = np.random.default_rng(rows)
    hits = []
    for _ in range(1000):
        tokens = generator.integers(5, 200, rows).astype(np.float64)
        change = -generator.lognormal(0, 0.5, rows) if skewed else generator.normal(-0.3, 1, rows)
        low, high = loss_interval(change * tokens, tokens).bounds or (np.nan, np.nan)
        hits.append(low <= (-np.exp(0.125) if skewed else -0.3) <= high)
    assert 0.89 <= np.mean(hits) <= 0.98


@pytest.mark.parametrize("rows", [10, 20, 40, 100])
@pytest.mark.parametrize(
    ("gained", "lost", "shared"), [(0.1, 0.02, 0), (0.3, 0.1, 0.5), (0.05, 0.05, 0.5), (0.9, 0, 0.3)]
)
def test_intervals_of_rates_cover(rows: int, gained: float, lost: float, shared: float) -> None:
    generator = np.random.default_rng(rows)
    hits = []
    for _ in range(600):
        turns = generator.integers(1, 5, rows)
        draws = [np.full(n, generator.random()) if generator.random() < shared else generator.random(n) for n in turns]
        changes = np.array([float((draw < gained).sum() - (draw > 1 - lost).sum()) for draw in draws])
        bounds = rate_interval(changes, turns.astype(np.float64)).bounds
        if bounds is not None:
            hits.append(bounds[0] <= gained - lost <= bounds[1])
    assert len(hits) > 300
    assert np.mean(hits) >= 0.92


def test_below_ten_rows_there_is_none() -> None:
    ones = np.ones(FEWEST_ROWS)
    changes = np.arange(FEWEST_ROWS, dtype=np.float64) % 2
    for interval in (loss_interval, rate_interval):
        assert interval(changes, ones).bounds is not None
        assert interval(changes[1:], ones[1:]).bounds is None
        assert "too few rows" in str(interval(changes[1:], ones[1:]).why_none)
        assert interval(0 * changes, ones).bounds is None
