"""Farthest-first selection beside the sweep that people write: one matrix-vector product a pick, in numpy and torch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import SCALE, Vectors, real_rows, rows_of, scaled
from benches.measure import measure, rival
from sage_select import kernels

Rows = NDArray[np.int64]


#: Which share of all comparisons may be made, by data and picks; counts are the same on every machine.
MOST = {
    ("real", 1000): 0.30,
    ("clustered", 1000): 0.14,
    ("flat", 1000): 0.11,
    ("jittered", 1000): 0.22,
    ("critical", 1000): 0.30,
    ("sphere", 1000): 0.20,
    ("jittered", 10_000): 0.12,
}


def ours(vectors: Vectors, k: int) -> Rows:
    return kernels.k_center(kernels.Matrix.from_array(vectors), k).indices


def numpy_sweep(vectors: Vectors, k: int) -> Rows:
    picks = [0]
    nearest = vectors @ vectors[0]  # rows of length 1: the farthest is the least similar
    similarities = np.empty_like(nearest)
    for _ in range(k - 1):
        picks.append(int(np.argmin(nearest)))
        np.dot(vectors, vectors[picks[-1]], out=similarities)
        np.maximum(nearest, similarities, out=nearest)
    return np.array(picks)


def torch_sweep(vectors: Vectors, k: int) -> Rows:
    torch = rival("torch", "torch")
    with warnings.catch_warnings():  # of the rows that nobody may write to
        warnings.simplefilter("ignore", UserWarning)
        rows = torch.from_numpy(vectors)
    picks = [0]
    nearest = torch.mv(rows, rows[0])
    similarities = torch.empty_like(nearest)
    for _ in range(k - 1):
        picks.append(int(torch.argmin(nearest)))
        torch.mv(rows, rows[picks[-1]], out=similarities)
        torch.maximum(nearest, similarities, out=nearest)
    return np.array(picks)


@dataclass(frozen=True)
class Problem:
    """Rows, how many to pick, how many a sweep is timed on (each of its picks costs the same), and what numpy picks."""

    kind: str
    vectors: Vectors
    k: int
    part: int
    reference: Rows


CASES = [
    pytest.param(("real", 36_086, 1000, 1000), id="real"),
    pytest.param(("clustered", 200_000, 1000, 100), id="clustered"),
    pytest.param(("jittered", 200_000, 1000, 100), id="jittered"),
    pytest.param(("flat", 200_000, 1000, 100), id="flat"),
    pytest.param(("critical", 200_000, 1000, 100), id="critical"),
    pytest.param(("sphere", 200_000, 1000, 100), id="sphere"),
    pytest.param(("jittered", 1_000_000, 10_000, 30), id="jittered-1M", marks=pytest.mark.large),
]


@pytest.fixture(scope="module", params=CASES)
def problem(request: pytest.FixtureRequest) -> Problem:
    kind, n, k, part = request.param
    vectors = real_rows() if kind == "real" else rows_of(kind, scaled(n))
    k = scaled(k)
    part = min(part, k)
    return Problem(kind, vectors, k, part, numpy_sweep(vectors, part))


def comparisons(problem: Problem) -> str:
    """Return the share of all pairs that ours compares, which must be no more than `MOST`."""
    found = kernels.k_center(kernels.Matrix.from_array(problem.vectors), problem.k)
    share = found.evaluations / (problem.k * len(problem.vectors))
    # The limits are those of the full size.
    assert SCALE != 1 or share <= MOST[problem.kind, problem.k]
    return f"{share:.1%} of all pairs compared"


@pytest.mark.parametrize("method", [ours, numpy_sweep, torch_sweep], ids=lambda method: method.__name__)
def test_k_center(method: Callable[[Vectors, int], Rows], problem: Problem, benchmark: BenchmarkFixture) -> None:
    n, k, part = len(problem.vectors), problem.k, problem.part
    picks = k if method is ours else part
    found = method(problem.vectors, picks)
    assert len(set(found.tolist())) == picks
    # Sums in another order may turn a near tie: nearly all picks agree, and the first ones do.
    np.testing.assert_array_equal(found[:10], problem.reference[:10])
    assert len(set(found[:part]) & set(problem.reference)) >= int(0.97 * part)
    measure(
        benchmark,
        lambda: method(problem.vectors, picks),
        group=f"k-center: {k:,} of {n:,} x {problem.vectors.shape[1]}",
        case=problem.kind,
        method=method.__name__,
        share=picks / k,
        note=comparisons(problem) if method is ours else "",
    )
