"""Top-k of 10 million scores, sorted, beside numpy's argpartition with the sort it then needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from sage_select import kernels

N, K = 10_000_000, 10_000

Scores = NDArray[np.float32]


def ours(scores: Scores) -> NDArray[np.int64]:
    return kernels.top_k(scores, K)


def numpy_argpartition(scores: Scores) -> NDArray[np.int64]:
    top = np.argpartition(scores, -K)[-K:]
    return top[np.lexsort((top, -scores[top]))]


@pytest.fixture(scope="module", params=["uniform", "few_values"])
def scores(request: pytest.FixtureRequest) -> Scores:
    rng = np.random.default_rng(0)
    return rng.random(N, np.float32) if request.param == "uniform" else rng.integers(0, 10, N).astype(np.float32)


@pytest.mark.parametrize("method", [ours, numpy_argpartition], ids=lambda method: method.__name__)
def test_top_k(method: Callable[[Scores], NDArray[np.int64]], scores: Scores, benchmark: BenchmarkFixture) -> None:
    benchmark.group = f"top {K:,} of {N:,}"
    found = benchmark.pedantic(method, args=(scores,), rounds=5, warmup_rounds=1)
    np.testing.assert_array_equal(scores[found], np.sort(scores)[::-1][:K])
