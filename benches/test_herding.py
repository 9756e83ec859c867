"""Herding beside the loop that people write: one matrix-vector product a pick, in numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import Vectors, real_rows, rows_of, scaled
from benches.measure import measure
from sage_select import kernels

Rows = NDArray[np.int64]


def ours(vectors: Vectors, k: int) -> Rows:
    return kernels.herding(kernels.Matrix.from_array(vectors), k).indices


def numpy_loop(vectors: Vectors, k: int) -> Rows:
    mean = vectors.mean(axis=0, dtype=np.float64)
    wanted = mean.copy()
    products = np.empty(len(vectors), np.float32)
    picks: list[int] = []
    for _ in range(k):
        np.dot(vectors, wanted.astype(np.float32), out=products)
        products[picks] = -np.inf
        picks.append(int(np.argmax(products)))
        wanted += mean - vectors[picks[-1]]
    return np.array(picks)


CASES = [("real", 36_086, 1000), ("clustered", 200_000, 1000), ("jittered", 200_000, 1000), ("flat", 200_000, 1000)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
@pytest.mark.parametrize("method", [ours, numpy_loop], ids=lambda method: method.__name__)
def test_herding(
    method: Callable[[Vectors, int], Rows], case: tuple[str, int, int], benchmark: BenchmarkFixture
) -> None:
    kind, n, k = case
    vectors = real_rows() if kind == "real" else rows_of(kind, scaled(n))
    k = scaled(k)
    # Each pick of the loop costs the same.
    part = k if method is ours else min(k, 100)
    found = method(vectors, part)
    assert len(set(found.tolist())) == part
    # Sums in another order may turn a near tie: the first picks agree.
    np.testing.assert_array_equal(found[:10], numpy_loop(vectors, 10))
    measure(
        benchmark,
        lambda: method(vectors, part),
        group=f"herding: {k:,} of {len(vectors):,} x {vectors.shape[1]}",
        case=kind,
        method=method.__name__,
        share=part / k,
    )
