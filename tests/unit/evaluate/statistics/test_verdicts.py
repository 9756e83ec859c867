"""Verdicts find what is better, and claim nothing more often than their level where nothing is."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.evaluate.statistics import Difference, Interval, compare_rows, holm, verdicts

Floats = np.ndarray[Any, np.dtype[np.float64]]
BLANK = Difference(None, "no value", None, None, (), (), Interval(None, "too few rows"), None, None, "rows", 0)


def changed(value: float, p: float | None) -> Difference:
    return dataclasses.replace(BLANK, value=value, why_none=None, p_value=p)


def test_holms_adjustment() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1, 1]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_what_its_steps_reject(p_values: list[float]) -> None:
    rejected = set()
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        if p_values[place] * (len(p_values) - rank) > 0.05:
            break
        rejected.add(place)
    assert {place for place, one in enumerate(holm(p_values)) if one <= 0.05} == rejected


def test_words() -> None:
    arms = {
        "much": changed(0.2, 0.001),
        "little": changed(0.1, 0.03),  # 0.03 alone would do; of three it does not
        "less": changed(-0.2, 0.001),
        "unknown": BLANK,
    }
    found = verdicts(arms)
    assert {name: one.word for name, one in found.items()} == {
        "much": "better",
        "little": "better",
        "less": "worse",
        "unknown": "not distinguishable",
    }
    assert found["much"].why == "p = 0.003, adjusted for 3 arms by Holm"
    assert (found["unknown"].p_adjusted, found["unknown"].why) == (None, "too few rows")
    assert verdicts({"a": changed(0.2, 0.001)}, better="lower")["a"].word == "worse"
    assert verdicts({"a": changed(0.1, 0.03), "b": changed(0.1, 0.03)})["a"].word == "not distinguishable"


def rate(sums: Floats) -> Floats:
    return np.asarray(sums[..., 0] / sums[..., 1])


@pytest.mark.parametrize(
    ("rows", "turns", "seeds", "luck"),
    [(40, 3, 1, 0.0), (200, 1, 1, 0.0), (200, 1, 3, 0.04)],
    ids=["few rows of several turns", "single turns", "seeds that differ by luck"],
)
def test_where_no_arm_is_better_one_is_claimed_no_more_often_than_the_level(
    rows: int, turns: int, seeds: int, luck: float
) -> None:
    generator = np.random.default_rng(rows + seeds)

    def model(hard: Floats) -> Floats:
        """Return a model whose seeds are by luck better or worse by `luck`."""
        share = np.clip(0.7 + luck * generator.normal(size=(seeds, 1)) + hard, 0, 1)
        return np.stack([generator.binomial(turns, share), np.full(share.shape, turns)], axis=-1).astype(np.float64)

    comparisons, claimed = 200, 0
    for _ in range(comparisons):
        hard = generator.normal(0, 0.2, rows)
        control = model(hard)
        arms = {
            str(arm): compare_rows(rate, model(hard), control, counted=[1], rate=True, draws=400) for arm in range(4)
        }
        claimed += any(one.word != "not distinguishable" for one in verdicts(arms).values())
    assert claimed <= comparisons * 0.05 + 2 * (comparisons * 0.05 * 0.95) ** 0.5


def test_an_arm_that_is_better_is_found() -> None:
    generator = np.random.default_rng(0)
    found = []
    for _ in range(30):
        hard = generator.normal(0, 0.2, 300)
        right = [generator.random((3, 300)) < np.clip(share + hard, 0, 1) for share in (0.6, 0.75, 0.6)]
        control, better, same = (np.stack([one, np.ones(one.shape)], axis=-1).astype(np.float64) for one in right)
        arms = {
            name: compare_rows(rate, arm, control, counted=[1], rate=True, draws=400)
            for name, arm in (("better", better), ("same", same))
        }
        found.append(tuple(one.word for one in verdicts(arms).values()))
    assert found.count(("better", "not distinguishable")) >= 27
