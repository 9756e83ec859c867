"""Intervals of values hold the truth as often as they say, at the sizes that they are shown for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sage_select.evaluate.statistics import unit_interval

Floats = np.ndarray[Any, np.dtype[np.float64]]
SIZES = [10, 20, 30, 100]
RATES = [0.02, 0.5, 0.9]
DRAWS = 300


def rate(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def f1(sums: Floats) -> Floats:
    return 2 * rate(sums)


def holds(values: Any, sums: Floats, truth: float) -> bool:
    """Return whether the interval holds the truth; one that is not shown misleads nobody."""
    bounds = unit_interval(values, sums, [1]).bounds
    return bounds is None or bounds[0] <= truth <= bounds[1]


@pytest.mark.parametrize("rows", SIZES)
def test_rates_of_single_turns(rows: int) -> None:
    turns = np.ones(rows)
    right = [np.stack([np.arange(rows) < count, turns], axis=1).astype(np.float64) for count in range(rows + 1)]
    for truth in RATES:
        chances = [math.comb(rows, count) * truth**count * (1 - truth) ** (rows - count) for count in range(rows + 1)]
        assert sum(chance * holds(rate, sums, truth) for chance, sums in zip(chances, right, strict=True)) >= 0.95


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("truth", RATES)
def test_rates_of_rows_with_several_turns(rows: int, truth: float) -> None:
    generator = np.random.default_rng(rows)
    found = []
    for _ in range(DRAWS):
        turns = generator.integers(1, 5, rows)
        alike = generator.random(rows) < 0.5
        right = np.where(alike, turns * (generator.random(rows) < truth), generator.binomial(turns, truth))
        found.append(holds(rate, np.stack([right, turns], axis=1).astype(np.float64), truth))
    assert np.mean(found) >= 0.93


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("share", RATES)
def test_micro_f1(rows: int, share: float) -> None:
    """Of 1 or 2 names a row, `share` are found; of the others 7 in 10 are called something else."""
    generator = np.random.default_rng(rows + 1)
    truth = 2 * share / (1 + share + (1 - share) * 0.7)
    found = []
    for _ in range(DRAWS):
        names = generator.integers(1, 3, rows)
        right = generator.binomial(names, share)
        called = right + generator.binomial(names - right, 0.7)
        found.append(holds(f1, np.stack([right, names + called], axis=1).astype(np.float64), truth))
    assert np.mean(found) >= 0.93
