"""The 10,000 best of 10 million scores, in order, beside numpy, polars, torch and pyarrow.

`numpy_max` is the floor: one look at every score. Each rival is asked for what it gives fastest, which for
`argpartition` is the rows in no order, and its scores are compared with the right ones before any time is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

import sage_select
from sage_select import kernels

N, K = 10_000_000, 10_000

Scores = NDArray[np.float32]
#: Takes what `PREPARED` made of the scores.
Method = Callable[[Any], Any]


def ours(scores: Scores) -> NDArray[np.int64]:
    return kernels.top_k(scores, K)


def ours_select(scores: Scores) -> NDArray[np.int64]:
    return sage_select.select(scores=scores, strategy="loss_topk", k=K).indices


def numpy_argpartition(scores: Scores) -> NDArray[np.int64]:
    return np.argpartition(scores, N - K)[N - K :]


def polars_top_k(scores: pl.Series) -> pl.Series:
    return scores.top_k(K)


def torch_topk(scores: torch.Tensor) -> Any:
    return torch.topk(scores, K).indices


def pyarrow_select_k(scores: pa.Array) -> pa.Array:
    return pc.select_k_unstable(scores, K, sort_keys=[("", "descending")])


def numpy_max(scores: Scores) -> np.float32:
    return np.max(scores)


#: The scores as each rival wants them, made outside the measured time.
PREPARED: dict[Method, Callable[[Scores], Any]] = {
    polars_top_k: pl.Series,
    torch_topk: torch.from_numpy,
    pyarrow_select_k: pa.array,
}

INPUTS: dict[str, Callable[[np.random.Generator], Scores]] = {
    "uniform": lambda rng: rng.random(N, np.float32),
    "normal": lambda rng: rng.standard_normal(N, np.float32),
    "values_10": lambda rng: rng.integers(0, 10, N).astype(np.float32),
    "values_1000": lambda rng: rng.integers(0, 1000, N).astype(np.float32),
    "all_same": lambda _rng: np.ones(N, np.float32),
    "ascending": lambda _rng: np.arange(N, dtype=np.float32),
    "descending": lambda _rng: np.arange(N, 0, -1).astype(np.float32),
}


@pytest.fixture(scope="module", params=INPUTS)
def scores(request: pytest.FixtureRequest) -> Scores:
    return INPUTS[request.param](np.random.default_rng(0))


@pytest.fixture(scope="module")
def best(scores: Scores) -> NDArray[np.int64]:
    """Return the right rows: the definition."""
    return np.argsort(-scores, kind="stable")[:K]


def check(method: Method, found: Any, scores: Scores, best: NDArray[np.int64]) -> None:
    if method in (ours, ours_select):
        np.testing.assert_array_equal(found, best)
    elif method is numpy_max:
        assert found == scores[best[0]]
    else:
        values = np.asarray(found) if method is polars_top_k else scores[np.asarray(found)]
        np.testing.assert_array_equal(np.sort(values)[::-1], scores[best])


METHODS: list[Method] = [
    ours,
    ours_select,
    numpy_max,
    numpy_argpartition,
    polars_top_k,
    torch_topk,
    pyarrow_select_k,
]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_top_k(
    method: Method,
    scores: Scores,
    best: NDArray[np.int64],
    request: pytest.FixtureRequest,
    benchmark: BenchmarkFixture,
) -> None:
    given = PREPARED.get(method, lambda scores: scores)(scores)
    check(method, method(given), scores, best)
    benchmark.group = f"top {K:,} of {N:,}, {request.node.callspec.params['scores']}"
    fast = method in (ours, ours_select, numpy_max)
    benchmark.pedantic(method, args=(given,), rounds=25 if fast else 5, warmup_rounds=1)
