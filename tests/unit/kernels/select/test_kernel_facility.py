from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from small_cases import tied

from sage_select import kernels
from sage_select.kernels import Matrix


def facility(similarity: NDArray[Any], k: int, given: list[int]) -> tuple[list[int], list[float]]:
    """Greedy by definition, in float64."""
    clipped = np.maximum(similarity.astype(np.float64), 0)
    cover = clipped[:, given].max(axis=1, initial=0)
    taken, picks, gains = set(given), [], []
    for _ in range(k):
        gain = np.maximum(clipped - cover[:, None], 0).sum(axis=0)
        gain[list(taken)] = -1
        pick = int(gain.argmax())
        picks.append(pick)
        gains.append(float(gain[pick]))
        taken.add(pick)
        cover = np.maximum(cover, clipped[:, pick])
    return picks, gains


@settings(deadline=None)
@given(case=tied())
def test_facility_location_is_greedy(case: tuple[NDArray[np.float32], int, list[int]]) -> None:
    data, k, given_rows = case
    found = kernels.facility_location(Matrix.from_array(data, metric="dot"), k, given=given_rows)
    picks, gains = facility(data @ data.T, k, given_rows)
    assert found.method == "dense"
    assert found.indices.dtype == np.int64
    assert found.gains.dtype == np.float32
    assert found.indices.tolist() == picks
    assert found.gains.tolist() == gains


def test_a_graph_that_holds_all_neighbours_and_no_floor_is_dense() -> None:
    # Orthogonal groups: the last of as many neighbours as rows has similarity 0, so coverage starts at 0.
    random = np.random.default_rng(3)
    data = np.zeros((60, 6))
    data[np.arange(60), np.arange(60) % 3 * 2] = 1
    data[np.arange(60), np.arange(60) % 3 * 2 + 1] = random.uniform(0, 2, 60)
    matrix = Matrix.from_array(data)
    dense = kernels.facility_location(matrix, 60)
    graph = kernels.facility_location(matrix, 60, k_nn=60, dense_limit=10)
    assert (dense.method, graph.method) == ("dense", "graph")
    assert graph.indices[:20].tolist() == dense.indices[:20].tolist()
    np.testing.assert_allclose(graph.gains, dense.gains, rtol=1e-5, atol=1e-5)


def test_real_embeddings_give_the_value_of_float64_greedy(shared_data: Path) -> None:
    rows = np.load(shared_data / "clinc150" / "train.minilm.npy")[::12]
    matrix = Matrix.from_array(rows, metric="cosine")
    unit = rows.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    similarity = unit @ unit.T
    picks, gains = facility(similarity, 120, [])
    found = kernels.facility_location(matrix, 120)

    def value(chosen: Any) -> float:
        return float(np.maximum(similarity[:, chosen], 0).max(axis=1).sum())

    assert value(found.indices) == pytest.approx(value(picks), rel=1e-6)
    np.testing.assert_allclose(found.gains, gains, rtol=1e-3)
    graph = kernels.facility_location(matrix, 120, dense_limit=0)
    assert value(graph.indices) > 0.99 * value(picks)
    random = np.random.default_rng(0).choice(len(rows), 120, replace=False)
    assert value(graph.indices) > 1.02 * value(random)
