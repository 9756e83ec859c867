"""Maximal marginal relevance and the ridge determinant beside pyversity, from raw vectors to picks.

pyversity takes similarities below 0 for 0. The vectors here have none, so that its mmr is ours by definition and the
picks agree. Its dpp has no ridge but float32's rounding: many of its first residuals are equal, and past as many picks
as there are dimensions all are noise. So values are compared: with few picks our log-determinant is about its own,
with many it is larger.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture
from pyversity.strategies.dpp import dpp
from pyversity.strategies.mmr import mmr

from benches.data import Vectors, real_rows, scaled
from benches.measure import measure
from sage_select import kernels

N, K = scaled(10_000), scaled(1000)
DPP = f"dpp: {K:,} of {N:,} x 384"

Picker = Callable[[Vectors, NDArray[np.float32], int], NDArray[np.int64]]


def ours_mmr(vectors: Vectors, relevance: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    return kernels.mmr(kernels.Matrix.from_array(vectors), relevance, k).indices


def pyversity_mmr(vectors: Vectors, relevance: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    return mmr(vectors, relevance, k, diversity=0.5).indices.astype(np.int64)


def ours_dpp(vectors: Vectors, ridge: float, k: int) -> NDArray[np.int64]:
    return kernels.ridge_dpp(kernels.Matrix.from_array(vectors), k, eps=ridge).indices


def pyversity_dpp(vectors: Vectors, k: int) -> NDArray[np.int64]:
    # Past the rank it overflows.
    with np.errstate(all="ignore"):
        return dpp(vectors, np.ones(len(vectors), np.float32), k).indices.astype(np.int64)


@pytest.fixture(scope="module")
def many() -> Vectors:
    """Return 10,000 rows of width 384 with similarities (1 + s) / 2, where s are those of real sentence embeddings."""
    rows = real_rows()[:N].copy()
    # Half of a row's squared length lies in a dimension that all share.
    rows[:, -1] = np.linalg.norm(rows[:, :-1], axis=1)
    return rows


@pytest.fixture(params=["query", "uniform", "constant"])
def relevance(request: pytest.FixtureRequest, many: Vectors) -> NDArray[np.float32]:
    """Return the likeness to the middle of some rows, random numbers, or the same number for all rows."""
    if request.param == "query":
        query = many[:20].mean(axis=0)
        return (many @ query / np.linalg.norm(many, axis=1) / np.linalg.norm(query)).astype(np.float32)
    random = np.random.default_rng(0).random(N, np.float32)
    return random if request.param == "uniform" else np.ones(N, np.float32)


@pytest.mark.parametrize("method", [ours_mmr, pyversity_mmr], ids=lambda method: method.__name__)
def test_mmr(
    method: Picker,
    many: Vectors,
    relevance: NDArray[np.float32],
    benchmark: BenchmarkFixture,
    request: pytest.FixtureRequest,
) -> None:
    method(many, relevance, K)
    found = measure(
        benchmark,
        lambda: method(many, relevance, K),
        group=f"mmr: {K:,} of {N:,} x 384",
        case=f"{request.node.callspec.params['relevance']} relevance",
        method=method.__name__,
        rounds=5,
    )
    assert len(set(found.tolist())) == K
    if method is ours_mmr:
        # Sums in another order may turn a near tie: nearly all picks agree.
        assert len(set(found) & set(pyversity_mmr(many, relevance, K))) >= 0.97 * K


def log_determinant(vectors: Vectors, chosen: NDArray[np.int64], ridge: float) -> float:
    rows = vectors[chosen].astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return float(np.linalg.slogdet(rows @ rows.T + ridge * np.eye(len(rows)))[1])


#: The default comes first: it is what pyversity is measured against.
RIDGES = [0.1, 1e-3, 1e-2, 1.0]


@pytest.mark.parametrize("ridge", RIDGES)
def test_dpp(ridge: float, many: Vectors, benchmark: BenchmarkFixture) -> None:
    found = ours_dpp(many, ridge, K)
    assert len(set(found.tolist())) == K
    for count in (scaled(100), K):
        theirs = log_determinant(many, pyversity_dpp(many, count), ridge)
        assert log_determinant(many, found[:count], ridge) >= theirs - 0.01 * abs(theirs)
    method = f"ours, ridge {ridge:g}"
    measure(benchmark, lambda: ours_dpp(many, ridge, K), group=DPP, method=method)


def test_dpp_of_pyversity(many: Vectors, benchmark: BenchmarkFixture) -> None:
    pyversity_dpp(many, K)
    measure(benchmark, lambda: pyversity_dpp(many, K), group=DPP, method="pyversity_dpp")
