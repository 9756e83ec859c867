"""The threshold filter beside a blocked scan in numpy: a block of rows against all picked, then one by one."""

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

BLOCK = 480


def ours(vectors: Vectors, order: Rows, k: int, threshold: float) -> Rows:
    matrix = kernels.Matrix.from_array(vectors)
    return kernels.threshold_filter(matrix, order, k, threshold=threshold).indices


def numpy_blocks(vectors: Vectors, order: Rows, k: int, threshold: float) -> Rows:
    picked = np.empty((k, vectors.shape[1]), np.float32)
    picks: list[int] = []
    for start in range(0, len(order), BLOCK):
        rows = order[start : start + BLOCK]
        block = vectors[rows]
        nearest = (block @ picked[: len(picks)].T).max(axis=1, initial=-np.inf)
        within = block @ block.T
        joined: list[int] = []
        for at in np.flatnonzero(nearest < threshold).tolist():
            if joined and within[at, joined].max() >= threshold:
                continue
            joined.append(at)
            picked[len(picks)] = block[at]
            picks.append(int(rows[at]))
            if len(picks) == k:
                return np.array(picks)
    return np.array(picks)


CASES = [("real", 36_086, 3600, 0.7), ("real", 36_086, 36_086, 0.8), ("jittered", 200_000, 20_000, 0.9)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[3]}")
@pytest.mark.parametrize("method", [ours, numpy_blocks], ids=lambda method: method.__name__)
def test_threshold_filter(
    method: Callable[[Vectors, Rows, int, float], Rows],
    case: tuple[str, int, int, float],
    benchmark: BenchmarkFixture,
) -> None:
    kind, n, k, threshold = case
    vectors = real_rows() if kind == "real" else rows_of(kind, scaled(n))
    k = min(scaled(k), len(vectors))
    order = np.random.default_rng(4).permutation(len(vectors))
    found = method(vectors, order, k, threshold)
    # Sums in another order may turn what lies at the threshold.
    few = min(k, 200)
    reference = numpy_blocks(vectors, order, few, threshold)
    assert len(set(found[:few].tolist()) & set(reference.tolist())) >= 0.97 * len(reference)
    measure(
        benchmark,
        lambda: method(vectors, order, k, threshold),
        group=f"threshold filter: at most {k:,} of {len(vectors):,} x {vectors.shape[1]}, similarity below {threshold}",
        case=kind,
        method=method.__name__,
    )
