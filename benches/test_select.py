"""Greedy selection beside the same greedy in numpy; both must pick the same rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from sage_select import kernels

K = 300

Vectors = NDArray[np.float32]
Picker = Callable[[Vectors], NDArray[np.int64]]


def ours_facility(vectors: Vectors) -> NDArray[np.int64]:
    return kernels.facility_location(kernels.Matrix.from_array(vectors), K).indices


def numpy_facility(vectors: Vectors) -> NDArray[np.int64]:
    similarity = np.maximum(vectors @ vectors.T, 0)
    covered = np.zeros(len(vectors), np.float32)
    picks: list[int] = []
    for _ in range(K):
        gains = np.maximum(similarity - covered, 0).sum(axis=1, dtype=np.float64)
        gains[picks] = -1
        picks.append(int(np.argmax(gains)))
        np.maximum(covered, similarity[picks[-1]], out=covered)
    return np.array(picks)


def ours_k_center(vectors: Vectors) -> NDArray[np.int64]:
    return kernels.k_center(kernels.Matrix.from_array(vectors), K).indices


def numpy_k_center(vectors: Vectors) -> NDArray[np.int64]:
    picks = [0]
    keys = ((vectors - vectors[0]) ** 2).sum(axis=1)
    for _ in range(K - 1):
        picks.append(int(np.argmax(keys)))
        np.minimum(keys, ((vectors - vectors[picks[-1]]) ** 2).sum(axis=1), out=keys)
    return np.array(picks)


@pytest.fixture(scope="module")
def units(vectors: Vectors) -> Vectors:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("method", "reference"),
    [(ours_facility, numpy_facility), (numpy_facility, None), (ours_k_center, numpy_k_center), (numpy_k_center, None)],
    ids=lambda method: getattr(method, "__name__", ""),
)
def test_select(method: Picker, reference: Picker | None, units: Vectors, benchmark: BenchmarkFixture) -> None:
    benchmark.group = f"{method.__name__.split('_', 1)[1]}: {K} of {len(units):,} x {units.shape[1]}"
    found = benchmark.pedantic(method, args=(units,), rounds=3, warmup_rounds=1)
    assert len(set(found.tolist())) == K
    if reference is not None:
        # Sums in another order may turn a near tie: nearly all picks agree, and the first ones do.
        assert len(set(found) & set(reference(units))) >= 0.97 * K
