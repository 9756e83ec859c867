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
from sage_select import kernels

N, K = 10_000, 1000

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
    rows = real_rows()[: scaled(N)].copy()
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
    benchmark.group = f"mmr: {K} of {N:,} x 384, {request.node.callspec.params['relevance']} relevance"
    found = benchmark.pedantic(method, args=(many, relevance, K), rounds=5, warmup_rounds=1)
    assert len(set(found.tolist())) == K
    if method is ours_mmr:
        # Sums in another order may turn a near tie: nearly all picks agree.
        assert len(set(found) & set(pyversity_mmr(many, relevance, K))) >= 0.97 * K


def log_determinant(vectors: Vectors, chosen: NDArray[np.int64], ridge: float) -> float:
    rows = vectors[chosen].astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return float(np.linalg.slogdet(rows @ rows.T + ridge * np.eye(len(rows)))[1])


@pytest.mark.parametrize(
    "ridge", [1e-3, 1e-2, 0.1, 1.0, None], ids=lambda ridge: f"ours {ridge}" if ridge else "pyversity"
)
def test_dpp(ridge: float | None, many: Vectors, benchmark: BenchmarkFixture) -> None:
    benchmark.group = f"dpp: {K} of {N:,} x 384"
    if ridge is None:
        benchmark.pedantic(pyversity_dpp, args=(many, K), rounds=3, warmup_rounds=1)
        return
    found = benchmark.pedantic(ours_dpp, args=(many, ridge, K), rounds=3, warmup_rounds=1)
    assert len(set(found.tolist())) == K
    few = 100
    rival = log_determinant(many, pyversity_dpp(many, few), ridge)
    assert log_determinant(many, found[:few], ridge) >= rival - 0.01 * abs(rival)
    assert log_determinant(many, found, ridge) >= log_determinant(many, pyversity_dpp(many, K), ridge)
