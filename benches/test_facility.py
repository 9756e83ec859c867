"""Facility location, from vectors to picks, beside apricot, submodlib and lazy greedy in numpy.

apricot's `metric="cosine"` maximises another similarity, so that it gets the similarities themselves; their
computation is part of its time, as it is of ours.
"""

from __future__ import annotations

import heapq
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import Vectors, real_rows, scaled
from benches.measure import measure, rival
from sage_select import kernels

Rows = NDArray[np.int64]


def similarities(vectors: Vectors) -> NDArray[np.float32]:
    return np.maximum(vectors @ vectors.T, 0)


def ours(vectors: Vectors, k: int) -> Rows:
    return kernels.facility_location(kernels.Matrix.from_array(vectors), k).indices


def numpy_lazy(vectors: Vectors, k: int) -> Rows:
    """Greedy with float64 gains; a gain is measured again only when its old value is the greatest of all."""
    similarity = similarities(vectors)
    covered = np.zeros(len(vectors), np.float32)
    heap = [(-float(gain), row, 0) for row, gain in enumerate(similarity.sum(axis=1, dtype=np.float64))]
    heapq.heapify(heap)
    picks: list[int] = []
    while len(picks) < k:
        _, row, age = heap[0]
        if age == len(picks):
            heapq.heappop(heap)
            picks.append(row)
            np.maximum(covered, similarity[row], out=covered)
        else:
            gain = np.maximum(similarity[row] - covered, 0).sum(dtype=np.float64)
            heapq.heapreplace(heap, (-float(gain), row, len(picks)))
    return np.array(picks)


def apricot(vectors: Vectors, k: int) -> Rows:
    module = rival("apricot", "apricot-select")
    return module.FacilityLocationSelection(k, metric="precomputed").fit(similarities(vectors)).ranking


def submodlib(vectors: Vectors, k: int) -> Rows:
    module = rival("submodlib", "submodlib-py")
    with warnings.catch_warnings():  # it imports from a place that scipy is about to remove
        warnings.simplefilter("ignore", DeprecationWarning)
        function = module.FacilityLocationFunction(
            n=len(vectors), mode="dense", separate_rep=False, sijs=similarities(vectors)
        )
        picks = function.maximize(
            budget=k, optimizer="LazyGreedy", stopIfZeroGain=False, stopIfNegativeGain=False, show_progress=False
        )
    return np.array([row for row, _ in picks])


def value(similarity: NDArray[np.float32], picks: Rows) -> float:
    return float(similarity[:, picks].max(axis=1).sum(dtype=np.float64))


@dataclass(frozen=True)
class Problem:
    """Rows, how many to pick, and what greedy's picks are worth."""

    vectors: Vectors
    k: int
    worth: float

    def check(self, found: Rows) -> None:
        """The picks are worth what greedy's are, to a millionth."""
        assert len(set(found.tolist())) == self.k
        assert value(similarities(self.vectors), found) == pytest.approx(self.worth, rel=1e-6)


def problem_of(vectors: Vectors, k: int) -> Problem:
    return Problem(vectors, k, value(similarities(vectors), numpy_lazy(vectors, k)))


@pytest.fixture(scope="module")
def problem() -> Problem:
    real = real_rows()
    vectors = real[np.linspace(0, len(real) - 1, scaled(10_000)).astype(np.int64)]
    return problem_of(vectors, scaled(1000))


# What takes a minute is checked on a part of the rows first, and on all of them by the one round that is timed.
PART_AND_ROUNDS = {ours: (1, 5), numpy_lazy: (1, 3), apricot: (1, 2), submodlib: (8, 1)}


@pytest.mark.parametrize("method", PART_AND_ROUNDS, ids=lambda method: method.__name__)
def test_facility(method: Callable[[Vectors, int], Rows], problem: Problem, benchmark: BenchmarkFixture) -> None:
    part, rounds = PART_AND_ROUNDS[method]
    first = problem if part == 1 else problem_of(problem.vectors[::part], problem.k // part)
    first.check(method(first.vectors, first.k))
    found = measure(
        benchmark,
        lambda: method(problem.vectors, problem.k),
        group=f"facility location: {problem.k:,} of {len(problem.vectors):,} x {problem.vectors.shape[1]}",
        case="real",
        method=method.__name__,
        rounds=rounds,
        note="similarities included",
    )
    problem.check(found)
