"""D2 sampling beside the seeding of scikit-learn, which compares every draw with every row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import Vectors, real_rows, rows_of, scaled
from benches.measure import measure, rival
from sage_select import kernels

Rows = NDArray[np.int64]

#: Rows that the potential is summed over.
_SAMPLE = 20_000


def ours(vectors: Vectors, k: int, seed: int = 0) -> Rows:
    return kernels.d2(kernels.Matrix.from_array(vectors), k, key=seed).indices


def sklearn_plusplus(vectors: Vectors, k: int, seed: int = 0) -> Rows:
    # By itself it would draw 2 + ln k rows for each and keep the best: another law, and so many times the work.
    seeding = rival("sklearn.cluster", "scikit-learn").kmeans_plusplus
    return seeding(vectors, k, random_state=seed, n_local_trials=1)[1].astype(np.int64)


def potential(vectors: Vectors, picks: Rows) -> float:
    """Return the mean squared distance to the nearest pick, of rows of length 1."""
    sample = vectors[np.linspace(0, len(vectors) - 1, min(_SAMPLE, len(vectors))).astype(np.int64)]
    nearest = [(block @ vectors[picks].T).max(axis=1) for block in np.array_split(sample, 20)]
    return float(2 - 2 * np.concatenate(nearest).mean())


@dataclass(frozen=True)
class Problem:
    """Rows, how many to draw, how many scikit-learn is timed on (each costs the same), and the potential it gets."""

    kind: str
    vectors: Vectors
    k: int
    part: int
    reference: float


CASES = [
    pytest.param(("real", 36_086, 1000, 100), id="real"),
    pytest.param(("clustered", 200_000, 1000, 50), id="clustered"),
    pytest.param(("clustered", 200_000, 10_000, 50), id="clustered-10k"),
    pytest.param(("flat", 200_000, 1000, 50), id="flat"),
    pytest.param(("flat", 200_000, 10_000, 50), id="flat-10k"),
]


@pytest.fixture(scope="module", params=CASES)
def problem(request: pytest.FixtureRequest) -> Problem:
    kind, n, k, part = request.param
    vectors = real_rows() if kind == "real" else rows_of(kind, scaled(n))
    k = scaled(k)
    part = min(part, k)
    # Draws differ by chance: of few rows, the potentials of several draws are averaged.
    reference = np.mean([potential(vectors, sklearn_plusplus(vectors, part, seed)) for seed in range(3)])
    return Problem(kind, vectors, k, part, float(reference))


@pytest.mark.parametrize("method", [ours, sklearn_plusplus], ids=lambda method: method.__name__)
def test_d2(method: Callable[[Vectors, int], Rows], problem: Problem, benchmark: BenchmarkFixture) -> None:
    n, k, part = len(problem.vectors), problem.k, problem.part
    draws = k if method is ours else part
    found = method(problem.vectors, draws)
    assert len(set(found.tolist())) == draws
    # The same law: few rows bring rows as near, up to chance. One selection is the start of any larger one of ours.
    several = [ours(problem.vectors, part, seed) for seed in range(10)]
    reached = np.mean([potential(problem.vectors, picks) for picks in several])
    np.testing.assert_allclose(reached, problem.reference, rtol=0.03)
    if method is ours:
        np.testing.assert_array_equal(found[:part], several[0])
    measure(
        benchmark,
        lambda: method(problem.vectors, draws),
        group=f"D2: {k:,} of {n:,} x {problem.vectors.shape[1]}",
        case=problem.kind,
        method=method.__name__,
        share=draws / k,
    )
