"""`sage_select.select` as people call it: vectors and scores in, the default strategy, row numbers out.

Nothing else has the default rule. The origin's rule (hardest rows, then farthest-first) is beside the same in numpy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

import sage_select
from benches.data import Vectors, rows_of, scaled
from benches.measure import measure

Rows = NDArray[np.int64]
Scores = NDArray[np.float32]

SHARE = 0.6


def scores_of(n: int) -> Scores:
    return np.random.default_rng(4).random(n, np.float32)


def group(vectors: Vectors, k: int) -> str:
    return f"hybrid: {k:,} of {len(vectors):,} x {vectors.shape[1]}"


def coverage(vectors: Vectors, picks: Rows) -> float:
    """Return how near 2,000 of the rows are to their nearest pick, on average."""
    clients = vectors[np.linspace(0, len(vectors) - 1, min(2000, len(vectors))).astype(np.int64)]
    return float((clients @ vectors[picks].T).max(axis=1).mean())


SIZES = [
    pytest.param((100_000, 1000), id="100k"),
    pytest.param((1_000_000, 10_000), id="1M", marks=pytest.mark.large),
    pytest.param((1_000_000, 100_000), id="1M-tenth", marks=pytest.mark.large),
]


@pytest.mark.parametrize("size", SIZES)
def test_default(size: tuple[int, int], benchmark: BenchmarkFixture) -> None:
    vectors, k = rows_of("jittered", scaled(size[0])), scaled(size[1])
    scores = scores_of(len(vectors))

    def work() -> Rows:
        return sage_select.select(embeddings=vectors, scores=scores, k=k).indices

    # One run takes long enough to be warm: its answer is checked on a part of the rows first, then on all.
    part = sage_select.select(embeddings=vectors[::10], scores=scores[::10], k=k // 10).indices
    check_default(vectors[::10], part, k // 10)
    found = measure(benchmark, work, group=group(vectors, k), case="default rule", method="ours", rounds=1)
    check_default(vectors, found, k)


def check_default(vectors: Vectors, found: Rows, k: int) -> None:
    assert len(set(found.tolist())) == k
    anyone = np.random.default_rng(5).choice(len(vectors), size=k, replace=False)
    assert coverage(vectors, found) > coverage(vectors, anyone)


def ours(vectors: Vectors, scores: Scores, k: int) -> Rows:
    return sage_select.select(
        embeddings=vectors,
        scores=scores,
        k=k,
        strategy="hybrid",
        score_mode="top",
        objective="kcenter",
        outlier_guard=0.0,
    ).indices


def numpy_sweep(vectors: Vectors, scores: Scores, k: int) -> Rows:
    picks = np.argsort(-scores, kind="stable")[: round(SHARE * k)].tolist()
    nearest = np.full(len(vectors), -np.inf, np.float32)
    similarities = np.empty_like(nearest)
    for number in range(k):
        if number >= len(picks):
            picks.append(int(np.argmin(nearest)))
        np.dot(vectors, vectors[picks[number]], out=similarities)
        np.maximum(nearest, similarities, out=nearest)
    return np.array(picks)


@pytest.fixture(scope="module")
def swept() -> tuple[Vectors, Scores, int, Rows]:
    vectors, k = rows_of("jittered", scaled(100_000)), scaled(1000)
    scores = scores_of(len(vectors))
    return vectors, scores, k, numpy_sweep(vectors, scores, k)


@pytest.mark.parametrize("method", [ours, numpy_sweep], ids=lambda method: method.__name__)
def test_origins_rule(
    method: Callable[[Vectors, Scores, int], Rows],
    swept: tuple[Vectors, Scores, int, Rows],
    benchmark: BenchmarkFixture,
) -> None:
    vectors, scores, k, reference = swept
    found = reference if method is numpy_sweep else ours(vectors, scores, k)
    by_score = round(SHARE * k)
    np.testing.assert_array_equal(found[: by_score + 5], reference[: by_score + 5])
    # Sums in another order may turn a near tie.
    assert len(set(found.tolist()) & set(reference.tolist())) >= 0.97 * k
    measure(
        benchmark,
        lambda: method(vectors, scores, k),
        group=group(vectors, k),
        case="the origin's rule",
        method=method.__name__,
        rounds=5 if method is ours else 1,
    )
