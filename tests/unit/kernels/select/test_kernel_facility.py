from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from small_cases import greedy, many_rows, tied

from sage_select import kernels
from sage_select.errors import DataError, UsageError
from sage_select.kernels import Matrix, Request


def facility(similarity: NDArray[Any], k: int, preselected: list[int]) -> tuple[list[int], list[float]]:
    """Greedy by definition, in float64."""
    clipped = np.maximum(similarity.astype(np.float64), 0)

    def gains(taken: list[int]) -> NDArray[Any]:
        covered = clipped[:, taken].max(axis=1, initial=0)
        return np.maximum(clipped - covered[:, None], 0).sum(axis=0)

    return greedy(k, preselected, gains)


@settings(deadline=None)
@given(case=tied())
def test_facility_location_is_greedy(case: tuple[NDArray[np.float32], int, list[int]]) -> None:
    data, k, preselected = case
    found = kernels.facility_location(Matrix.from_array(data, metric="dot"), Request(k, preselected))
    picks, gains = facility(data @ data.T, k, preselected)
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


def near(rows: NDArray[Any], count: int) -> NDArray[np.int32]:
    """The nearest others of each row, in an order of no meaning, with a place left over."""
    similarity = rows @ rows.T
    np.fill_diagonal(similarity, -np.inf)
    found = np.sort(np.argsort(-similarity, axis=1)[:, :count], axis=1)
    return np.column_stack([found, np.full(len(rows), -1)]).astype(np.int32)


@pytest.mark.parametrize("pick", [kernels.facility_location, kernels.graph_cut])
def test_neighbours_that_are_given_make_the_graph_of_an_exact_search(pick: Any) -> None:
    rows = np.random.default_rng(6).normal(size=(300, 12)).astype(np.float32)
    matrix = Matrix.from_array(rows)
    searched = pick(matrix, 60, dense_limit=0, k_nn=8)
    given_lists = pick(matrix, 60, dense_limit=0, k_nn=8, neighbours=near(matrix.take(np.arange(300)), 7))
    assert given_lists.recall == searched.recall == 1
    assert given_lists.indices.tolist() == searched.indices.tolist()
    assert given_lists.gains.tolist() == searched.gains.tolist()
    worse = pick(matrix, 60, dense_limit=0, k_nn=8, neighbours=near(matrix.take(np.arange(300)), 3))
    # 4 of 8 are there: the row itself and three others.
    assert worse.recall == pytest.approx(0.5)
    assert worse.indices.tolist() != searched.indices.tolist()


@pytest.mark.parametrize("pick", [kernels.facility_location, kernels.graph_cut])
def test_neighbours_are_checked(pick: Any) -> None:
    matrix = Matrix.from_array(np.eye(4))
    lists = np.array([[1, 2], [0, -1], [3, 1], [-1, -1]], np.int32)
    assert len(pick(matrix, 4, dense_limit=0, neighbours=lists).indices) == 4
    for bad in (lists[:3], lists.astype(np.int64), lists.ravel(), lists.astype(np.float32)):
        with pytest.raises(DataError, match="neighbours do not fit the rows"):
            pick(matrix, 1, dense_limit=0, neighbours=bad)
    for number, message in ((4, "neighbour 4 of the row does not exist"), (3, "neighbour 3 of the row is named twice")):
        bad = lists.copy()
        bad[2, 1] = number
        with pytest.raises(DataError, match=f"row 2: {message}"):
            pick(matrix, 1, dense_limit=0, neighbours=bad)
    with pytest.raises(UsageError, match="centroids or neighbours, not both"):
        pick(matrix, 1, centroids=np.eye(4), neighbours=lists)


def test_near_cells_find_what_lies_in_them() -> None:
    random = np.random.default_rng(8)
    rows = (np.repeat(np.eye(6), 50, axis=0) + 0.01 * random.normal(size=(300, 6))).astype(np.float32)
    matrix = Matrix.from_array(rows)
    everywhere = kernels.facility_location(matrix, 40, dense_limit=0, k_nn=8)
    near_cells = kernels.facility_location(matrix, 40, dense_limit=0, k_nn=8, centroids=3 * np.eye(6), probe=1)
    assert near_cells.recall == 1
    assert near_cells.indices.tolist() == everywhere.indices.tolist()
    # A cell holds 50 rows, so that 14 of 64 neighbours are missing; with all cells none is.
    few, all_cells = (
        kernels.facility_location(matrix, 1, dense_limit=0, k_nn=64, centroids=np.eye(6), probe=probe).recall
        for probe in (1, 9)
    )
    assert few == pytest.approx(50 / 64)
    assert all_cells == 1


def test_facility_location_over_several_blocks() -> None:
    rows = many_rows(4200)
    found = kernels.facility_location(Matrix.from_array(rows, metric="dot"), Request(4, [4150]))
    assert (found.indices.tolist(), found.gains.tolist()) == facility(rows @ rows.T, 4, [4150])
