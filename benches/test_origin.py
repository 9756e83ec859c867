"""The origin's `hybrid` in plain Python beside `sage_select.select`, given vectors and from the text alone.

Both take the same rows by loss. The rest differs by design: ours keeps away from the rows taken by loss, measures
cosine rather than a plain dot product, and so has other picks. They are checked to lie farther apart than random ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

import sage_select
from benches import origin
from benches.data import Vectors, scaled
from benches.measure import measure

RULE = {"strategy": "hybrid", "score_mode": "top", "objective": "kcenter", "outlier_guard": 0.0}


@dataclass(frozen=True)
class Rows:
    """Texts of 100 words, the share of each word of the vocabulary in them, and a loss."""

    texts: list[str]
    table: pa.Table
    vectors: Vectors
    losses: NDArray[np.float32]
    k: int

    @property
    def by_loss(self) -> int:
        return int(self.k * 0.6)

    @property
    def group(self) -> str:
        return f"the origin's hybrid: {self.k:,} of {len(self.texts):,} rows of 100 words"


@pytest.fixture(scope="module")
def rows() -> Rows:
    rng = np.random.default_rng(0)
    vocabulary = [f"word{number}" for number in range(1000)]
    chances = 1 / np.arange(1, 1001)
    n = scaled(2000)
    drawn = rng.choice(1000, size=(n, 100), p=chances / chances.sum())
    vectors = np.stack([np.bincount(words, minlength=1000) for words in drawn]).astype(np.float32) / 100
    vectors.flags.writeable = False
    texts = [" ".join(vocabulary[word] for word in words) for words in drawn]
    losses = rng.random(n, np.float32)
    return Rows(texts, pa.table({"text": texts, "loss": losses}), vectors, losses, scaled(200))


def spread(rows: Rows, picks: NDArray[np.int64]) -> float:
    """Return the greatest cosine between two of the rows picked."""
    units = rows.vectors[picks]
    units = units / np.linalg.norm(units, axis=1, keepdims=True)
    return float(np.max(units @ units.T - 2 * np.eye(len(units))))


def check(rows: Rows, picks: NDArray[np.int64]) -> None:
    assert len(set(picks.tolist())) == rows.k
    by_loss = np.lexsort((np.arange(len(rows.texts)), -rows.losses))[: rows.by_loss]
    np.testing.assert_array_equal(picks[: rows.by_loss], by_loss)


def of_origin(rows: Rows) -> NDArray[np.int64]:
    return np.array(origin.hybrid(rows.texts, rows.losses.tolist(), rows.k))


def check_diversity(rows: Rows, picks: NDArray[np.int64]) -> None:
    """Each pick is as far as a row can be from those before it: the rule of `origin`, by matrices.

    Similarities are multiples of 1/10,000 and tie often: which of equal rows comes first hangs on the rounding of sums.
    """
    others = np.setdiff1d(np.arange(len(rows.texts)), picks[: rows.by_loss])
    features = rows.vectors[others].astype(np.float64)
    nearest = -np.einsum("rw,rw->r", features, features)  # the first pick is the longest
    for number, pick in enumerate(np.searchsorted(others, picks[rows.by_loss :])):
        assert nearest[pick] <= nearest.min() + 1e-6
        similarities = features @ features[pick]
        nearest = similarities if number == 0 else np.maximum(nearest, similarities)
        nearest[pick] = np.inf


# A minute a round: its one round is the one that is checked.
def test_origin(rows: Rows, benchmark: BenchmarkFixture) -> None:
    found = measure(benchmark, lambda: of_origin(rows), group=rows.group, method="origin", rounds=1)
    check(rows, found)
    check_diversity(rows, found)


def test_given_vectors(rows: Rows, benchmark: BenchmarkFixture) -> None:
    def work() -> NDArray[np.int64]:
        return sage_select.select(embeddings=rows.vectors, scores=rows.losses, k=rows.k, **RULE).indices

    found = work()
    check(rows, found)
    anyone = np.random.default_rng(1).choice(len(rows.texts), size=rows.k - rows.by_loss, replace=False)
    assert spread(rows, found[rows.by_loss :]) < spread(rows, anyone)
    measure(benchmark, work, group=rows.group, method="ours, given the vectors", rounds=9)


def test_from_text(rows: Rows, benchmark: BenchmarkFixture) -> None:
    def work() -> NDArray[np.int64]:
        return sage_select.select(rows.table, scores="loss", k=rows.k, **RULE).indices

    check(rows, work())
    measure(benchmark, work, group=rows.group, method="ours, from the text", rounds=5)
