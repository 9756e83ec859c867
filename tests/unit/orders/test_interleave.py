"""Interleave: at every prefix each group has had its share of the rows, but for less than one row."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select.orders.interleave import turns


def largest_gap(groups: np.ndarray, order: np.ndarray) -> Fraction:
    """Return the most that a group ever has more or fewer than its share of a prefix."""
    n, worst = len(groups), Fraction(0)
    had = dict.fromkeys(groups.tolist(), 0)
    sizes = {group: int((groups == group).sum()) for group in had}
    for length, row in enumerate(order.tolist(), 1):
        had[int(groups[row])] += 1
        worst = max(worst, *(abs(had[group] - Fraction(length * sizes[group], n)) for group in had))
    return worst


def plainly(groups: np.ndarray) -> list[int]:
    """Return the order by its definition, turn by turn over all rows, in fractions."""
    n, k = len(groups), len(set(groups.tolist()))
    if k < 2:
        return list(range(n))
    e = Fraction(1, 2 * k - 2)
    left = {}
    for row, group in enumerate(groups.tolist()):
        i, share = int((groups[:row] == group).sum()), Fraction(int((groups == group).sum()), n)
        earliest, latest = -(-(i + e) // share), (i + 1 - e) // share + 1
        left[row] = (earliest, latest)
    order = []
    for turn in range(1, n + 1):
        come = [row for row, (earliest, _) in left.items() if earliest <= turn]
        row = min(come, key=lambda row: (left[row][1], row))
        assert left.pop(row)[1] >= turn
        order.append(row)
    return order


@given(st.lists(st.integers(0, 7), max_size=60))
@settings(max_examples=300, deadline=None)
def test_every_prefix_has_the_shares_of_the_whole(values: list[int]) -> None:
    groups = np.array(values, np.int64)
    order = turns(groups)
    assert sorted(order.tolist()) == list(range(len(values)))
    assert order.tolist() == plainly(groups)
    k = len(set(values))
    if values:
        assert largest_gap(groups, order) <= (1 - Fraction(1, 2 * k - 2) if k > 1 else 0)
    for group in set(values):
        assert np.all(np.diff(order[groups[order] == group]) > 0)


@given(st.lists(st.integers(1, 400), min_size=2, max_size=25), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_whatever_the_sizes_of_the_groups(sizes: list[int], seed: int) -> None:
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    had = np.cumsum(groups[turns(groups)][:, None] == np.arange(len(sizes)), axis=0)
    gap = had * len(groups) - np.arange(1, len(groups) + 1)[:, None] * np.array(sizes)
    assert np.abs(gap).max() < len(groups)


def test_the_middles_alone_would_not_do() -> None:
    """Sorting by (i + 1/2) / size, the rule of Webster, breaks the bound where there are many small groups."""
    groups = np.repeat(np.arange(20), [60, *[1] * 19])
    number = np.concatenate([np.arange(60), np.zeros(19)])
    size = np.concatenate([np.full(60, 60), np.ones(19)])
    assert largest_gap(groups, np.argsort((number + 0.5) / size, kind="stable")) > 1
    assert largest_gap(groups, turns(groups)) < 1


def test_groups_as_large_as_each_other_alternate() -> None:
    groups = np.array([0] * 5 + [1] * 5)
    assert all(len({*groups[turns(groups)][place : place + 2]}) == 2 for place in range(0, 10, 2))


def test_whole_numbers_do_for_many_rows() -> None:
    groups = np.arange(50_000, dtype=np.int64)
    groups[:20_000] = 0
    order = turns(groups)
    had = np.cumsum(groups[order] == 0)
    share = np.arange(1, 50_001) * 20_000
    assert np.abs(had * 50_000 - share).max() < 50_000
