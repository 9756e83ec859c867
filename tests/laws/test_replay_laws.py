"""Replay buffers hold samples of the law that they claim, whatever the cuts, shards and resumes."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replay_twin import chi_square_bound, offer, rows

from sage_select.replay import ReplayBuffer
from sage_select.replay.offered import offered
from sage_select.replay.policies import POLICIES
from sage_select.replay.settings import BufferSettings
from sage_select.replay.state import State
from sage_select.replay.update import updated

SAMPLES = ("reservoir", "weighted", "balanced")


def kept(n: int, k: int, seeds: int, batch: int, policy: str = "reservoir", **given: Any) -> list[tuple[str, ...]]:
    """Return for each seed the ids that stay of n rows that come in updates of so many."""
    made = BufferSettings.make(policy=policy, capacity=k)
    table = pa.table({"sage_row_id": [str(one) for one in range(n)]})
    updates = [
        offered(
            table.slice(start, batch),
            "sage_row_id",
            **{name: values[start : start + batch] for name, values in given.items()},
        )
        for start in range(0, n, batch)
    ]
    found = []
    for seed in range(seeds):
        state, own = State(), made.model_copy(update={"seed": seed})
        for update in updates:
            change, _ = updated(state, own, update, lambda: pa.table({}), evolve=False)
            assert change is not None
            state = change.state.bare()
        found.append(tuple(state.rows.ids.to_pylist()))
    return found


@pytest.mark.parametrize(("n", "k", "batch"), [(4, 1, 1), (5, 2, 3), (6, 3, 2), (7, 2, 7)])
def test_every_subset_is_as_likely(n: int, k: int, batch: int) -> None:
    subsets = list(itertools.combinations(map(str, range(n)), k))
    trials = 30 * len(subsets)
    counts = Counter(kept(n, k, trials, batch))
    assert set(counts) <= set(subsets)
    off = sum((counts[one] - 30) ** 2 / 30 for one in subsets)
    assert off < chi_square_bound(len(subsets) - 1)


@pytest.mark.parametrize("batch", [1, 2, 9])
def test_the_first_row_survives_alone_as_often_as_any(batch: int) -> None:
    counts = Counter(only for (only,) in kept(9, 1, 360, batch))
    assert sum((counts[str(one)] - 40) ** 2 / 40 for one in range(9)) < chi_square_bound(8)


def test_rows_and_pairs_of_rows_are_included_as_often() -> None:
    n, k, trials = 60, 12, 400
    held = np.zeros((trials, n), bool)
    for seed, ids in enumerate(kept(n, k, trials, 20)):
        held[seed, [int(one) for one in ids]] = True
    p = k / n
    # The number of rows is fixed: the factor corrects for it.
    off = (n - 1) / n * float((((held.sum(axis=0) - trials * p) ** 2) / (trials * p * (1 - p))).sum())
    assert off < chi_square_bound(n - 1)
    early = held[:, : n // 4].sum()
    mean, var = trials * k / 4, trials * k / 4 * 3 / 4 * (n - k) / (n - 1)
    assert abs(early - mean) < 4 * var**0.5, "no part of the stream is favoured"
    together = held.T.astype(int) @ held
    pairs = together[np.triu_indices(n, 1)]
    q = k * (k - 1) / (n * (n - 1))
    spread = ((pairs - trials * q) ** 2 / (trials * q * (1 - q))).mean()
    assert abs(pairs.mean() - trials * q) < 1e-9
    assert 0.8 < spread < 1.2


@pytest.mark.parametrize(("k", "batch"), [(1, 1), (2, 2), (3, 5)])
def test_a_weighted_sample_is_that_of_drawing_row_after_row(k: int, batch: int) -> None:
    weights = [1.0, 2.0, 4.0, 0.5, 3.0]
    exact: Counter[tuple[str, ...]] = Counter()
    for order in itertools.permutations(range(len(weights)), k):
        chance, left = Fraction(1), sum(Fraction(one) for one in weights)
        for row in order:
            chance *= Fraction(weights[row]) / left
            left -= Fraction(weights[row])
        exact[tuple(sorted(map(str, order)))] += chance
    trials = 600
    counts = Counter(kept(len(weights), k, trials, batch, "weighted", scores=np.array(weights)))
    assert sum(exact.values()) == 1
    off = sum((counts[one] - trials * float(chance)) ** 2 / (trials * float(chance)) for one, chance in exact.items())
    assert off < chi_square_bound(len(exact) - 1)


def test_draws_are_uniform_though_the_buffer_was_sampled_by_hashes() -> None:
    buffer = ReplayBuffer.open(None, 12, seed=3)
    offer(buffer, rows(range(400)))
    counts: Counter[str] = Counter()
    for step in range(600):
        counts.update(buffer.draw(3, step=step)["sage_row_id"].to_pylist())
    p = 3 / 12
    off = 11 / 12 * sum((counts[one] - 600 * p) ** 2 / (600 * p * (1 - p)) for one in buffer.ids().to_pylist())
    assert off < chi_square_bound(11)


def whole(policy: str, some: Sequence[Any], capacity: int) -> ReplayBuffer:
    buffer = ReplayBuffer.open(None, capacity, policy, 5)
    offer(buffer, some)
    return buffer


@pytest.mark.parametrize("policy", SAMPLES)
@settings(deadline=None, max_examples=15)
@given(data=st.data(), n=st.integers(1, 120), capacity=st.integers(1, 20))
def test_neither_cuts_nor_order_matter(policy: str, data: st.DataObject, n: int, capacity: int) -> None:
    some = rows(range(n))
    expected = set(whole(policy, some, capacity).ids().to_pylist())
    order = data.draw(st.permutations(some)) if n < 40 else some
    buffer = ReplayBuffer.open(None, capacity, policy, 5)
    batch = data.draw(st.sampled_from([1, 7, capacity, 10 * capacity]))
    for start in range(0, n, batch):
        offer(buffer, order[start : start + batch])
    assert set(buffer.ids().to_pylist()) == expected


@pytest.mark.parametrize("policy", SAMPLES)
@settings(deadline=None, max_examples=15)
@given(shards=st.lists(st.integers(0, 3), max_size=100), capacity=st.integers(1, 12))
def test_shards_make_the_buffer_of_the_whole(policy: str, shards: list[int], capacity: int) -> None:
    some = rows(range(len(shards)))
    parts = [ReplayBuffer.open(None, capacity, policy, 5) for _ in range(4)]
    for row, shard in zip(some, shards, strict=True):
        if shard < 3:  # one of them is empty
            offer(parts[shard], [row])
    there = [row for row, shard in zip(some, shards, strict=True) if shard < 3]
    for part in parts[1:]:
        parts[0].merge(part)
    expected = whole(policy, there, capacity)
    assert set(parts[0].ids().to_pylist()) == set(expected.ids().to_pylist())
    assert parts[0].stats()["seen"] == len(there)
    assert parts[0]._state.policy_state == expected._state.policy_state


EMBEDDED = ("coreset", "herding")


def feed(buffer: ReplayBuffer, start: int, stop: int) -> None:
    some = rows(range(start, stop))
    draw = np.random.default_rng([start, stop])
    table = pa.table({"sage_row_id": [one.id for one in some], "text": [one.text for one in some]})
    vectors = draw.normal(size=(len(some), 3)).astype(np.float32)
    buffer.update(
        table,
        scores=draw.exponential(size=len(some)) + 0.01,
        groups=[one.group for one in some],
        embeddings=vectors,
        lengths=draw.integers(1, 50, len(some)),
    )
    buffer.mix(table.slice(0, 3), "1/7")
    buffer.mix(table.slice(0, 2), "1/5", "tokens_of_total", lengths=np.array([9, 4][: min(2, len(some))]))


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_resumes_in_a_row_make_no_difference(policy: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"outlier_guard": 4.0, "score_half_life": 3.0} if policy == "loss_topk" else {}
    cuts = [0, 3, 9, 17, 24, 25, 31, 40]
    resumes = set(random.Random(policy).sample(range(1, 7), 3))
    whole = ReplayBuffer.open(tmp_path / "whole", 11, policy, 2, draw="passes", **given)
    memory = ReplayBuffer.open(None, 11, policy, 2, draw="passes", **given)
    cut = ReplayBuffer.open(tmp_path / "cut", 11, policy, 2, draw="passes", **given)
    for place, (start, stop) in enumerate(itertools.pairwise(cuts)):
        if place in resumes:
            cut = ReplayBuffer.open(tmp_path / "cut")
        for buffer in (whole, memory, cut):
            feed(buffer, start, stop)
    for buffer in (memory, cut):
        assert buffer.table().equals(whole.table())
        assert buffer.members().equals(whole.members())
        assert buffer.history().equals(whole.history())
        assert buffer.stats() == whole.stats()
    texts = [sorted(path.glob("manifest-*"))[-1].read_text() for path in (tmp_path / "whole", tmp_path / "cut")]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("policy", EMBEDDED)
def test_a_policy_of_vectors_retains_as_many_as_it_may(policy: str) -> None:
    buffer = ReplayBuffer.open(None, 5, policy)
    for start in range(0, 30, 6):
        feed(buffer, start, start + 6)
        assert len(buffer) == 5


numbers = st.lists(st.integers(0, 14), max_size=2, unique=True)


@settings(deadline=None, max_examples=30)
@given(steps=st.lists(st.tuples(st.integers(0, 6), numbers), max_size=14), capacity=st.integers(1, 9))
def test_passes_draw_each_row_once_while_others_come_and_go(steps: list[tuple[int, list[int]]], capacity: int) -> None:
    buffer = ReplayBuffer.open(None, capacity, "fifo", draw="passes")
    offer(buffer, rows(range(100, 100 + capacity)))
    drawn: Counter[str] = Counter()
    for count, some in steps:
        drawn.update(buffer.draw(min(count, capacity))["sage_row_id"].to_pylist())
        stays = set(buffer.ids().to_pylist()) & {f"row {one}" for one in range(100, 100 + capacity)}
        counts = [drawn[one] for one in stays]
        assert max(counts, default=0) - min(counts, default=0) <= 1
        offer(buffer, rows(some))


def test_whole_passes_draw_each_row_once() -> None:
    buffer = ReplayBuffer.open(None, 10, draw="passes")
    offer(buffer, rows(range(10)))
    found = [one for _ in range(30) for one in buffer.draw(7)["sage_row_id"].to_pylist()]
    assert set(Counter(found).values()) == {21}
    by_step = [one for step in range(20) for one in buffer.draw(5, step=step)["sage_row_id"].to_pylist()]
    assert all(len(set(by_step[start : start + 10])) == 10 for start in range(0, 100, 10))
    assert by_step[:10] != by_step[10:20]
