"""Distributions agree with printed tables, with sums over all outcomes, and with one another."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.evaluate.statistics import mcnemar, student_p, student_quantile
from sage_select.evaluate.statistics.distributions import beta_quantile, incomplete_beta

shapes = st.floats(0.05, 5000)


@pytest.mark.parametrize(
    ("degrees", "value"),
    [(1, 12.706205), (2, 4.302653), (3.5, 2.940089), (9, 2.262157), (29, 2.045230), (99, 1.984217), (1e7, 1.959964)],
)
def test_students_t_is_that_of_the_tables(degrees: float, value: float) -> None:
    assert student_quantile(degrees) == pytest.approx(value, rel=1e-5)
    assert student_p(value, degrees) == student_p(-value, degrees) == pytest.approx(0.05, abs=1e-6)
    assert student_p(0, degrees) == 1


@given(st.integers(0, 60), st.integers(1, 60), st.floats(0.001, 0.999))
def test_whole_shapes_are_sums_over_tosses(right: int, wrong: int, chance: float) -> None:
    tosses = right + wrong
    more = sum(math.comb(tosses, k) * chance**k * (1 - chance) ** (tosses - k) for k in range(right + 1, tosses + 1))
    assert incomplete_beta(chance, right + 1, wrong) == pytest.approx(more, abs=1e-11)


@given(shapes, shapes, st.floats(0.001, 0.999))
def test_quantiles_are_where_the_distribution_is(a: float, b: float, share: float) -> None:
    point = beta_quantile(share, a, b)
    assert 0 <= point <= 1
    if 1e-10 < point < 1 - 1e-10:  # nearer to an end the floats are too far apart for the steepest of these
        assert incomplete_beta(point, a, b) == pytest.approx(share, abs=1e-6)
    assert incomplete_beta(0.3, a, b) + incomplete_beta(0.7, b, a) == pytest.approx(1, abs=1e-9)


def test_the_ends() -> None:
    assert (incomplete_beta(0, 2, 3), incomplete_beta(1, 2, 3)) == (0, 1)


@pytest.mark.parametrize(
    ("right", "of", "low", "high"), [(0, 10, 0, 0.3085), (8, 10, 0.4439, 0.9748), (1, 29, 0.0009, 0.1776)]
)
def test_exact_bounds_are_those_of_the_tables(right: int, of: int, low: float, high: float) -> None:
    if right:
        assert beta_quantile(0.025, right, of - right + 1) == pytest.approx(low, abs=1e-4)
    assert beta_quantile(0.975, right + 1, of - right) == pytest.approx(high, abs=1e-4)


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_a_sum_over_tosses(gained: int, lost: int) -> None:
    tosses = gained + lost
    tail = sum(math.comb(tosses, k) for k in range(min(gained, lost) + 1)) / 2**tosses
    assert mcnemar(gained, lost) == mcnemar(lost, gained) == pytest.approx(min(1, 2 * tail), abs=1e-12)


def test_mcnemar_of_many() -> None:
    assert mcnemar(10**6, 10**6) == pytest.approx(1)
    assert 0 < mcnemar(10**6, 10**6 + 6000) < 1e-4
