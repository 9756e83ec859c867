"""The kernels of replay buffers beside the loops and sorts that people write in numpy and Python.

Reservoirs: who stays of 10 million row ids at a capacity of 2,048. `algorithm_r` is Vitter's, as buffers for continual
learning have it, one random number for each row; `numpy_keys` draws a key for each row and keeps the k smallest.
Draws: 512 rows by priority, without replacement. `numpy_choice` is `Generator.choice(p=..., replace=False)`;
`cumulative_sums` adds all weights up anew for each draw. Quotas: slots of 1,000 groups; `one_at_a_time` gives each slot
to the group with the fewest.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import scaled
from benches.measure import measure
from sage_select import kernels

Words = NDArray[np.uint64]
Rows = NDArray[np.int64]

CAPACITY, DRAWN, GROUPS = 2048, 512, 1000


def ours(words: Words) -> Rows:
    return kernels.reservoir_of_words(7, words, CAPACITY)[0]


def ours_one_thread(words: Words) -> Rows:
    return kernels.reservoir_of_words(7, words, CAPACITY, threads=1)[0]


def numpy_keys(words: Words) -> Rows:
    keys = np.random.default_rng(7).random(len(words))
    return np.argpartition(keys, CAPACITY - 1)[:CAPACITY]


def algorithm_r(words: Words) -> Rows:
    random = np.random.default_rng(7)
    held = list(range(min(CAPACITY, len(words))))
    for row in range(CAPACITY, len(words)):
        place = int(random.integers(0, row + 1))
        if place < CAPACITY:
            held[place] = row
    return np.array(held)


@pytest.mark.parametrize("method", [ours, ours_one_thread, numpy_keys, algorithm_r], ids=lambda method: method.__name__)
def test_reservoir(method: Callable[[Words], Rows], benchmark: BenchmarkFixture) -> None:
    n = scaled(10_000_000)
    words = np.random.default_rng(0).integers(0, 2**64 - 1, n, np.uint64)
    # Each row costs the loop the same.
    part = words[: max(CAPACITY, n // 50)] if method is algorithm_r else words
    held = method(part)
    assert len(set(held.tolist())) == min(CAPACITY, len(part))
    measure(
        benchmark,
        lambda: method(part),
        group=f"reservoir: {CAPACITY:,} of {n:,} row ids",
        method=method.__name__,
        rounds=10 if method is not algorithm_r else 3,
        share=len(part) / n,
        note=f"{n / 1e6:g} million decisions",
    )


def ours_tree(priorities: NDArray[np.float64]) -> Callable[[], Rows]:
    # Another key each time: the machine learns to foretell the branches of draws that are repeated.
    tree, keys = kernels.PriorityTree(priorities), itertools.count()
    return lambda: tree.draw(next(keys), DRAWN)


def numpy_choice(priorities: NDArray[np.float64]) -> Callable[[], Rows]:
    random, shares = np.random.default_rng(7), priorities / priorities.sum()
    return lambda: random.choice(len(shares), DRAWN, replace=False, p=shares)


def cumulative_sums(priorities: NDArray[np.float64]) -> Callable[[], Rows]:
    random = np.random.default_rng(7)

    def draw() -> Rows:
        left, rows = priorities.copy(), np.empty(DRAWN, np.int64)
        for at in range(DRAWN):
            ends = np.cumsum(left)
            rows[at] = np.searchsorted(ends, random.random() * ends[-1], side="right")
            left[rows[at]] = 0
        return rows

    return draw


@pytest.mark.parametrize("n", [2048, 1_000_000])
@pytest.mark.parametrize("method", [ours_tree, numpy_choice, cumulative_sums], ids=lambda method: method.__name__)
def test_draws(
    method: Callable[[NDArray[np.float64]], Callable[[], Rows]], n: int, benchmark: BenchmarkFixture
) -> None:
    draw = method(np.random.default_rng(0).random(n))
    assert len(set(draw().tolist())) == DRAWN
    measure(
        benchmark,
        draw,
        group=f"draws by priority: {DRAWN} of {n:,}",
        method=method.__name__,
        rounds=100 if method is ours_tree else 3,
    )


def ours_water_fill(sizes: Rows, total: int, order: Words) -> Any:
    return kernels.water_fill(sizes, total, order)


def one_at_a_time(sizes: Rows, total: int, order: Words) -> Any:
    quotas = [0] * len(sizes)
    fewest = [(0, rank, group) for group, (rank, size) in enumerate(zip(order.tolist(), sizes, strict=True)) if size]
    heapq.heapify(fewest)
    while total and fewest:
        quota, rank, group = heapq.heappop(fewest)
        quotas[group], total = quota + 1, total - 1
        if quotas[group] < sizes[group]:
            heapq.heappush(fewest, (quota + 1, rank, group))
    return quotas


@pytest.mark.parametrize("method", [ours_water_fill, one_at_a_time], ids=lambda method: method.__name__)
def test_quotas(method: Callable[[Rows, int, Words], Any], benchmark: BenchmarkFixture) -> None:
    sizes = (1000 / np.arange(1, GROUPS + 1)).astype(np.int64)
    order = kernels.keyed_hashes(7, GROUPS)
    np.testing.assert_array_equal(method(sizes, CAPACITY, order), one_at_a_time(sizes, CAPACITY, order))
    measure(
        benchmark,
        lambda: method(sizes, CAPACITY, order),
        group=f"quotas: {CAPACITY:,} slots for {GROUPS:,} groups",
        method=method.__name__,
        rounds=100 if method is ours_water_fill else 3,
    )
