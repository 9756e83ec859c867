"""Competence: no row comes before competence admits it, and all that are admitted are as likely."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sage_select import kernels
from sage_select.data import Dataset, Scores
from sage_select.orders.competence import Competence
from sage_select.pipeline.run import Recorder, Run, Silence
from sage_select.seeds import stage_key

options = st.fixed_dictionaries(
    {
        "initial_competence": st.sampled_from([1e-9, 0.01, 0.3, 1.0]),
        "full_competence_at": st.sampled_from([0.01, 0.5, 0.9, 1.0]),
        "competence_root": st.sampled_from([1, 2, 3, 10]),
    }
)


def drawn(rule: Competence, difficulty: list[float], seed: int = 0) -> tuple[list[int], list[int]]:
    """Return the rows as they come, their numbers being their shuffle, and the phase of each."""
    n = len(difficulty)
    data = Dataset(n).with_feature("scores", Scores(np.array(difficulty, np.float32)))
    found = rule.arrange(np.arange(n), data, Run((), seed, Recorder(Silence())))
    assert found.phases is not None
    return found.rows.tolist(), found.phases.tolist()


def competence(rule: Competence, place: int, n: int) -> float:
    """Return what the paper says at a position."""
    c0, share, p = rule.initial_competence, rule.full_competence_at, rule.competence_root
    return min(1.0, ((place + 1) / n * (1 - c0**p) / share + c0**p) ** (1 / p))


def plainly(rule: Competence, difficulty: list[float], seed: int) -> list[int]:
    """Return the order by its definition, row by row, with the draws of the rule."""
    n = len(difficulty)
    percentile = [sum(other <= one for other in difficulty) / n for one in difficulty]
    coming = sorted(range(n), key=lambda row: (np.float32(difficulty[row]), row))
    draws = [int(one) >> 32 for one in kernels.keyed_hashes(stage_key(seed, "order competence"), n)]
    ready: list[int] = []
    order = []
    for place in range(n):
        while coming and (percentile[coming[0]] <= competence(rule, place, n) * (1 + 1e-12) or not ready):
            ready.append(coming.pop(0))
        number = draws[place] * len(ready) >> 32
        # What is drawn makes way for the first that is ready.
        order.append(ready[number])
        ready[number] = ready[0]
        ready.pop(0)
    return order


@given(difficulty=st.lists(st.integers(0, 12), max_size=40), options=options, seed=st.integers(0, 5))
@example(  # 5/12 is 0.3 + 0.7 / 6, but for rounding
    difficulty=[0] * 5 + [1] * 7,
    options={"initial_competence": 0.3, "full_competence_at": 0.5, "competence_root": 1},
    seed=0,
)
@settings(max_examples=150, deadline=None)
def test_rows_are_drawn_as_the_definition_says(difficulty: list[int], options: dict[str, float], seed: int) -> None:
    rule = Competence(**options)
    values = [float(one) for one in difficulty]
    assert drawn(rule, values, seed)[0] == plainly(rule, values, seed)


@given(n=st.integers(1, 60), options=options, seed=st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_no_row_comes_before_competence_admits_it(n: int, options: dict[str, float], seed: int) -> None:
    rule = Competence(**options)
    difficulty = np.random.default_rng(seed).permutation(n).astype(float)
    rows, phases = drawn(rule, difficulty.tolist(), seed)
    for place, row in enumerate(rows):
        assert (difficulty[row] + 1) / n <= competence(rule, place, n) * (1 + 1e-12)
    quarters = [min(4, math.floor(4 * place / (rule.full_competence_at * n))) for place in range(n)]
    assert phases == quarters


def test_equal_scores_are_admitted_together_and_then_the_easiest_comes() -> None:
    rule = Competence(full_competence_at=1, competence_root=1, initial_competence=0.01)
    difficulty = [0.0] * 6 + [1.0] * 4
    rows, _ = drawn(rule, difficulty)
    assert sorted(rows[:6]) == list(range(6))
    # Until six of ten are admitted, they come as in the shuffle.
    assert rows[:5] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("options", "orders"),
    [
        # Competence is 5/8, 6/8, 7/8 and 1, so that two, three, three and four of four rows are admitted.
        ({"initial_competence": 0.5, "competence_root": 1}, {(0, 1, 2, 3), (0, 2, 1, 3), (1, 0, 2, 3), (1, 2, 0, 3)}),
        ({"initial_competence": 1.0}, set(itertools.permutations(range(4)))),
    ],
)
def test_all_that_are_admitted_are_as_likely(options: dict[str, float], orders: set[tuple[int, ...]]) -> None:
    rule, tries = Competence(full_competence_at=1, **options), 200 * len(orders)
    counts = Counter(tuple(drawn(rule, [0.0, 1.0, 2.0, 3.0], seed)[0]) for seed in range(tries))
    assert counts.keys() == orders
    # Five standard deviations.
    assert all(abs(count - 200) < 5 * 200**0.5 for count in counts.values())
