"""Rows that come to an order: it holds on, and each stands near the row that it was made of."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sage_select.orders.between import between


@given(st.integers(1, 200), st.integers(0, 3), st.integers(1, 6), st.integers(0, 2**32))
def test_the_order_and_its_phases_hold_on(n: int, each: int, phases: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    positions = generator.permutation(n)
    phase = None if phases == 1 else (positions * phases // n).astype(np.int32)
    parents = np.repeat(np.arange(n), each)
    hashes = generator.integers(0, 2**64, len(parents), dtype=np.uint64)
    made = between(positions, phase, parents, hashes)
    assert sorted(made.tolist()) == list(range(n + len(parents)))
    assert np.array_equal(np.argsort(made[:n]), np.argsort(positions))
    if phase is not None:
        ordered = np.concatenate([phase, phase[parents]])[np.argsort(made)]
        assert np.all(np.diff(ordered) >= 0)
    # In rows of those that were there: a twentieth of them, or eight.
    ranks = np.searchsorted(np.sort(made[:n]), made[n:])
    assert np.all(np.abs(ranks - positions[parents]) <= max(np.ceil(0.05 * n), 8) + 1)


def test_what_is_drawn_last_of_a_phase_stays_in_it() -> None:
    most = np.array([2**64 - 1, 0], np.uint64)
    made = between(np.array([0, 1]), np.array([0, 1], np.int32), np.array([0, 1]), most)
    assert made.tolist() == [0, 3, 1, 2]


def test_near_copies_are_seldom_side_by_side() -> None:
    generator = np.random.default_rng(5)
    n = 1000
    positions = generator.permutation(n)
    made = between(positions, None, np.arange(n), generator.integers(0, 2**64, n, dtype=np.uint64))
    assert np.mean(np.abs(made[n:] - made[:n]) == 1) < 0.05
