"""The kernels of replay buffers: equal to their definitions in Python, and samples of the law that they claim."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.errors import DataError, UsageError
from sage_select.kernels import PriorityTree

LARGEST = 2**64 - 1
THREADS = (1, 2, 7)

few_keys = st.lists(st.integers(0, 5) | st.integers(0, LARGEST), max_size=60)
priorities = st.lists(st.sampled_from([0.0, 1.0, 3.0, 5e-324, 1e-300]) | st.floats(0, 1e6), max_size=40)


def smallest(keys: list[int], k: int, ids: list[str] | None) -> list[int]:
    def rank(row: int) -> tuple[Any, ...]:
        return keys[row], b"" if ids is None else ids[row].encode(), row

    return sorted(range(len(keys)), key=rank)[:k]


def unsigned(values: list[int]) -> NDArray[np.uint64]:
    return np.array(values, np.uint64)


@settings(deadline=None)
@given(keys=few_keys, data=st.data())
def test_the_smallest_keys_are_those_of_a_sort(keys: list[int], data: st.DataObject) -> None:
    k = data.draw(st.integers(0, len(keys)))
    ids = data.draw(st.lists(st.sampled_from(["", "a", "b", "é", "z", "𝄞"]), min_size=len(keys), max_size=len(keys)))
    found = kernels.smallest_keys(unsigned(keys), k)
    assert found.dtype == np.int64
    assert found.tolist() == smallest(keys, k, None)
    chunks = pa.chunked_array([pa.array(ids[:7], pa.string()), pa.array(ids[7:], pa.string())])
    assert kernels.smallest_keys(unsigned(keys), k, chunks).tolist() == smallest(keys, k, ids)


def test_ids_make_ties_independent_of_the_order_of_rows() -> None:
    ids = [f"row {row}" for row in range(300)]
    keys = np.arange(300, dtype=np.uint64) // np.uint64(50)
    order = np.random.default_rng(0).permutation(300)
    for k in (0, 1, 60, 149, 300):
        held = kernels.smallest_keys(keys, k, pa.array(ids))
        moved = kernels.smallest_keys(keys[order], k, pa.array([ids[row] for row in order]))
        assert order[moved].tolist() == held.tolist()


@settings(deadline=None)
@given(keys=few_keys, threshold=st.sampled_from([0, 3, 2**63, LARGEST]))
def test_rows_within_a_threshold(keys: list[int], threshold: int) -> None:
    found = kernels.within_threshold(unsigned(keys), threshold)
    assert found.dtype == np.int64
    assert found.tolist() == [row for row, key in enumerate(keys) if key <= threshold]


@settings(deadline=None)
@given(count=st.integers(0, 300), k=st.integers(0, 40), key=st.integers(0, LARGEST))
def test_a_reservoir_of_words_holds_the_rows_of_smallest_hash(count: int, k: int, key: int) -> None:
    # The word of row number i is mix(i + G): that of these words is found by way of the hashes of row numbers.
    words = np.array([word_of_row(row) for row in range(count)], np.uint64)
    hashes = kernels.keyed_hashes(key, count)
    for threshold in (0, 2**62, LARGEST, int(hashes[0]) if count else 0):
        rows, held = kernels.reservoir_of_words(key, words, k, threshold)
        expected = [row for row in smallest(hashes.tolist(), count, None) if hashes[row] <= threshold][:k]
        assert rows.tolist() == expected
        assert held.tolist() == hashes[expected].tolist()
        assert rows.dtype == np.int64
        assert held.dtype == np.uint64


def word_of_row(row: int) -> int:
    word = (row + 0x9E3779B97F4A7C15) & LARGEST
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & LARGEST
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & LARGEST
    return word ^ (word >> 31)


def test_parts_and_shards_of_a_stream_give_the_same_reservoir() -> None:
    words = np.random.default_rng(1).integers(0, LARGEST, 200_000, np.uint64, endpoint=True)
    k = 500
    whole = set(words[kernels.reservoir_of_words(9, words, k)[0]].tolist())
    for batch in (701, 50_000):
        held, threshold = words[:0], LARGEST
        for first in range(0, len(words), batch):
            offered = np.concatenate([held, words[first : first + batch]])
            rows, hashes = kernels.reservoir_of_words(9, offered, k, threshold)
            held = offered[rows]
            threshold = int(hashes[-1]) if len(rows) == k else LARGEST
        assert set(held.tolist()) == whole
    shards = np.concatenate([shard[kernels.reservoir_of_words(9, shard, k)[0]] for shard in np.split(words, 8)])
    assert set(shards[kernels.reservoir_of_words(9, shards, k)[0]].tolist()) == whole


def keys_of(trials: int) -> list[int]:
    """Return keys as they come in use: themselves draws."""
    keys: list[int] = kernels.keyed_hashes(0, trials).tolist()
    return keys


def chi_square(counts: Counter[Any], probabilities: dict[Any, float], trials: int) -> float:
    """Return how many standard deviations the statistic lies above its mean."""
    assert set(counts) <= set(probabilities)
    assert math.isclose(sum(probabilities.values()), 1)
    statistic = sum((counts[outcome] - trials * p) ** 2 / (trials * p) for outcome, p in probabilities.items())
    freedom = len(probabilities) - 1
    return (statistic - freedom) / math.sqrt(2 * freedom)


@pytest.mark.parametrize(("n", "k"), [(2, 1), (5, 1), (5, 2), (7, 3)])
def test_every_subset_is_as_likely(n: int, k: int) -> None:
    subsets = list(itertools.combinations(range(n), k))
    trials = 300 * len(subsets)
    rows = (kernels.smallest_keys(kernels.keyed_hashes(key, n), k) for key in keys_of(trials))
    counts = Counter(tuple(sorted(found.tolist())) for found in rows)
    assert chi_square(counts, dict.fromkeys(subsets, 1 / len(subsets)), trials) < 4


def successive(weights: list[float], k: int) -> dict[tuple[int, ...], float]:
    """Return how likely each order of k rows is where each next one is drawn by its share of the weights left."""
    found = {}
    for order in itertools.permutations(range(len(weights)), k):
        left, p = sum(map(Fraction, weights)), Fraction(1)
        for row in order:
            p *= Fraction(weights[row]) / left
            left -= Fraction(weights[row])
        if p:
            found[order] = float(p)
    return found


@pytest.mark.parametrize("weights", [[1.0, 1.0], [1.0, 2.0, 3.0, 4.0], [0.5, 8.0, 1.0, 1.0, 0.25]])
@pytest.mark.parametrize("k", [1, 2])
def test_weighted_samples_have_their_exact_probabilities(weights: list[float], k: int) -> None:
    trials = 10_000
    by_rank, by_tree = Counter[Any](), Counter[Any]()
    tree = PriorityTree(weights)
    for key in keys_of(trials):
        keys = kernels.exponential_keys(kernels.keyed_hashes(key, len(weights)), weights)
        by_rank[tuple(kernels.smallest_keys(keys, k).tolist())] += 1
        by_tree[tuple(tree.draw(key, k).tolist())] += 1
    for counts in (by_rank, by_tree):
        assert chi_square(counts, successive(weights, k), trials) < 4


@settings(deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, LARGEST), st.floats(1e-280, 1e280) | st.floats(0.1, 10)), max_size=50))
def test_exponential_keys_are_ranks(rows: list[tuple[int, float]]) -> None:
    hashes, weights = unsigned([hash_ for hash_, _ in rows]), [weight for _, weight in rows]
    keys = kernels.exponential_keys(hashes, weights)
    assert keys.dtype == np.uint64
    ranks = keys.view(np.float64)
    expected = [-math.log(((hash_ >> 12) + 0.5) / 2**52) / weight for hash_, weight in rows]
    # The logarithm of this machine may differ in the last bit.
    np.testing.assert_allclose(ranks, expected, rtol=1e-15)
    assert np.argsort(keys, kind="stable").tolist() == np.argsort(ranks, kind="stable").tolist()


def filled(sizes: list[int], total: int, order: list[int]) -> list[int]:
    quotas = [0] * len(sizes)
    for _ in range(min(total, sum(sizes))):
        open_groups = [group for group in range(len(sizes)) if quotas[group] < sizes[group]]
        quotas[min(open_groups, key=lambda group: (quotas[group], order[group], group))] += 1
    return quotas


@settings(deadline=None)
@given(groups=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), max_size=9), total=st.integers(0, 70))
def test_water_filling_gives_one_slot_at_a_time(groups: list[tuple[int, int]], total: int) -> None:
    sizes, order = [size for size, _ in groups], [rank for _, rank in groups]
    quotas = kernels.water_fill(sizes, total, order)
    assert quotas.dtype == np.int64
    assert quotas.tolist() == filled(sizes, total, order)
    for grown in range(len(sizes)):
        after = kernels.water_fill([*sizes[:grown], sizes[grown] + 1, *sizes[grown + 1 :]], total, order)
        assert all(after[other] <= quotas[other] for other in range(len(sizes)) if other != grown)


def weights_of(priorities: list[float]) -> list[int]:
    """Return priorities as whole numbers, in exact arithmetic."""
    if not any(priorities):
        return [0] * len(priorities)
    # frexp: the largest is below 2**exponent.
    exponent = math.frexp(max(priorities))[1]
    scale = Fraction(2) ** (63 - (len(priorities) - 1).bit_length() - exponent)
    return [max(int(Fraction(priority) * scale), int(priority > 0)) for priority in priorities]


def drawn(weights: list[int], key: int, n: int) -> list[int]:
    left = dict(enumerate(weights))
    rows = []
    for number in kernels.keyed_hashes(key, n).tolist():
        if not any(left.values()):
            left = dict.fromkeys(left, 1)
        place = number * sum(left.values()) >> 64
        ends = list(itertools.accumulate(left.values()))
        row = list(left)[int(np.searchsorted(np.array(ends, object), place, side="right"))]
        del left[row]
        rows.append(row)
    return rows


@settings(deadline=None)
@given(given_priorities=priorities, key=st.integers(0, LARGEST), data=st.data())
def test_trees_draw_by_cumulative_sums(given_priorities: list[float], key: int, data: st.DataObject) -> None:
    tree = PriorityTree(given_priorities)
    count = len(given_priorities)
    rows = data.draw(st.lists(st.integers(0, count - 1), max_size=9)) if count else []
    changes = data.draw(st.lists(st.floats(0, 1e9), min_size=len(rows), max_size=len(rows)))
    now = list(given_priorities)
    for row, priority in zip(rows, changes, strict=True):
        now[row] = priority
    tree.set(rows, changes)
    assert len(tree) == count
    assert tree.priorities().tolist() == now
    assert tree.weights().tolist() == weights_of(now)
    for n in {count // 2, count}:
        picks = tree.draw(key, n)
        assert picks.dtype == np.int64
        assert picks.tolist() == drawn(weights_of(now), key, n)
    assert tree.weights().tolist() == weights_of(now)


def test_no_row_of_priority_zero_is_drawn_before_the_others() -> None:
    tree = PriorityTree([0.0, 2.0, 0.0, 1e-300])
    assert {frozenset(tree.draw(key, 2).tolist()) for key in range(50)} == {frozenset({1, 3})}
    thirds = Counter(int(tree.draw(key, 3)[2]) for key in range(4000))
    assert chi_square(thirds, {0: 0.5, 2: 0.5}, 4000) < 4
    flat = PriorityTree(np.zeros(5))
    assert chi_square(Counter(int(flat.draw(key, 1)[0]) for key in range(5000)), dict.fromkeys(range(5), 0.2), 5000) < 4


def test_threads_may_share_a_tree() -> None:
    tree = PriorityTree(np.random.default_rng(2).random(5000))
    expected = [tree.draw(key, 500).tolist() for key in range(20)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda key: tree.draw(key, 500).tolist(), range(20)))
    assert found == expected


def test_threads_do_not_change_a_bit() -> None:
    hashes = kernels.keyed_hashes(3, 300_000)
    weights = np.random.default_rng(3).random(len(hashes)) + 0.1
    ids = pa.array([str(row) for row in range(len(hashes))])
    calls: list[Any] = [
        lambda threads: [kernels.smallest_keys(hashes % np.uint64(99), 9000, ids, threads=threads)],
        lambda threads: [kernels.within_threshold(hashes, 2**60, threads=threads)],
        lambda threads: kernels.reservoir_of_words(4, hashes, 999, threads=threads),
        lambda threads: [kernels.exponential_keys(hashes, weights, threads=threads)],
    ]
    for call in calls:
        assert len({b"".join(part.tobytes() for part in call(threads)) for threads in THREADS}) == 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: kernels.smallest_keys([1, 2], 3), UsageError, "3 rows are requested, but there are 2"),
        (lambda: kernels.smallest_keys([1, 2], -1), UsageError, "k is out of range"),
        (lambda: kernels.smallest_keys([1, 2], 1, pa.array(["a"])), UsageError, "number of ids must be 2, not 1"),
        (lambda: kernels.smallest_keys([1, 2], 1, pa.array(["a", None])), DataError, "row 1: the text is null"),
        (lambda: kernels.smallest_keys([1.5], 1), DataError, "keys must be whole numbers"),
        (lambda: kernels.within_threshold([1], 2**64), UsageError, "threshold is out of range"),
        (lambda: kernels.within_threshold([-1], 1), DataError, "row 0: keys holds a number that does not fit"),
        (lambda: kernels.reservoir_of_words(-1, [1], 1), UsageError, "key is out of range"),
        (lambda: kernels.exponential_keys([1, 2], [1.0]), UsageError, "number of weights must be 2, not 1"),
        (lambda: kernels.exponential_keys([1, 2], [1, 0]), DataError, "weights, row 1: the value is not above zero"),
        (lambda: kernels.exponential_keys([1, 2], [1, np.nan]), DataError, "weights, row 1: the value is NaN"),
        (lambda: kernels.exponential_keys([1, 2], [1e-290, 1]), DataError, "weights, row 0: the weight is not from"),
        (lambda: kernels.water_fill([1, -2], 1, [0, 0]), DataError, "sizes, row 1: the value is below zero"),
        (lambda: kernels.water_fill([1], 1, [0, 0]), UsageError, "length of the order must be 1, not 2"),
        (lambda: kernels.water_fill([1], -1, [0]), UsageError, "total is out of range"),
        (lambda: PriorityTree([1, np.inf]), DataError, "priorities, row 1: the value is NaN or infinite"),
        (lambda: PriorityTree([1, -1]), DataError, "priorities, row 1: the value is below zero"),
        (lambda: PriorityTree([1]).set([0], [np.nan]), DataError, "priorities, row 0: the value is NaN"),
        (lambda: PriorityTree([1]).set([1], [1]), UsageError, "row 1: row number 1 does not exist"),
        (lambda: PriorityTree([1]).set([0], [1, 2]), UsageError, "number of priorities must be 1, not 2"),
        (lambda: PriorityTree([1]).draw(0, 2), UsageError, "2 rows are requested, but there are 1"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
