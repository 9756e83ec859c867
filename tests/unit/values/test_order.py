"""Kendall's tau, by all pairs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select.values.order import kendall_tau


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=12))
def test_tau_is_that_of_all_pairs_that_differ(values: list[int]) -> None:
    signs = [np.sign(y - x) for x, y in itertools.combinations(values, 2) if x != y]
    tau = kendall_tau(np.array(values, np.int64))
    assert tau is None if not signs else tau == pytest.approx(np.mean(signs))


def test_tau_of_many() -> None:
    order = np.random.default_rng(0).permutation(3000)
    signs = np.sign(order[None, :] - order[:, None])[np.triu_indices(3000, 1)]
    assert kendall_tau(order) == pytest.approx(signs.mean(), abs=1e-12)
    assert kendall_tau(np.arange(0)) is None
