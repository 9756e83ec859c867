from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_cases import greedy, many_rows, tied

from sage_select import kernels
from sage_select.kernels import Matrix, Request


def graph_cut(similarity: NDArray[Any], weight: float, k: int, preselected: list[int]) -> tuple[list[int], list[float]]:
    """Greedy by definition, in float64."""
    clipped = np.maximum(similarity.astype(np.float64), 0)
    alone = weight * clipped.sum(axis=0) - np.diag(clipped)
    return greedy(k, preselected, lambda taken: alone - 2 * clipped[taken].sum(axis=0))


@settings(deadline=None)
@given(case=tied(), weight=st.sampled_from([0, 0.5, 1, 2, 20]))
def test_graph_cut_is_greedy(case: tuple[NDArray[np.float32], int, list[int]], weight: float) -> None:
    data, k, preselected = case
    found = kernels.graph_cut(Matrix.from_array(data, metric="dot"), Request(k, preselected), weight=weight)
    picks, gains = graph_cut(data @ data.T, weight, k, preselected)
    assert found.method == "dense"
    assert found.indices.tolist() == picks
    assert found.gains.tolist() == gains


@pytest.mark.real_data
@pytest.mark.parametrize("weight", [0.05, 1])
def test_real_embeddings_give_the_value_of_float64_greedy(shared_data: Path, weight: float) -> None:
    rows = np.load(shared_data / "clinc150" / "train.minilm.npy")[::12]
    unit = rows.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    similarity = unit @ unit.T
    picks, gains = graph_cut(similarity, weight, 120, [])
    found = kernels.graph_cut(Matrix.from_array(rows), 120, weight=weight)
    assert len(set(found.indices.tolist()) & set(picks)) > 110
    np.testing.assert_allclose(found.gains, gains, atol=1e-3)


def test_on_the_graph_rows_without_an_edge_do_not_count() -> None:
    # Two pairs of equal rows, a little like each other: with two neighbours a row sees itself and its equal only.
    matrix = Matrix.from_array(np.array([[1.0, 0.1], [1.0, 0.1], [0.1, 1.0], [0.1, 1.0]]))
    found = kernels.graph_cut(matrix, 4, weight=1, dense_limit=0, k_nn=2)
    assert found.method == "graph"
    assert found.indices.tolist() == [0, 2, 1, 3]
    np.testing.assert_allclose(found.gains, [1, 1, -1, -1], atol=1e-6)


def test_graph_cut_over_several_blocks() -> None:
    rows = many_rows(4200)
    found = kernels.graph_cut(Matrix.from_array(rows, metric="dot"), Request(20, [4150]), weight=0.5)
    assert (found.indices.tolist(), found.gains.tolist()) == graph_cut(rows @ rows.T, 0.5, 20, [4150])
