"""Objectives over similarities, where rows are so many that a graph holds them."""

from __future__ import annotations

import numpy as np
import pytest

from sage_select import kernels
from sage_select.kernels import Matrix, keyed_hashes
from sage_select.stages import Select
from sage_select.strategies import Picks, Pool
from sage_select.strategies.objectives.faiss_search import faiss_neighbours

N = 20_500
CENTRES = np.random.default_rng(4).normal(size=(300, 16))
NOISE = np.random.default_rng(5).normal(size=(N, 16))
MATRIX = Matrix.from_array((CENTRES[np.arange(N) % 300] + 0.3 * NOISE).astype(np.float32))


def picks(threads: int = 2, **settings: object) -> Picks:
    pool = Pool(n=N, seed=0, hashes=lambda key: keyed_hashes(key, N), matrix=MATRIX, threads=threads)
    return Select.make(strategy="diversity", budget=300, **settings).pick(pool)


@pytest.mark.parametrize("objective", ["facility", "graph_cut"])
def test_either_search_serves_many_rows_and_says_how_well(objective: str) -> None:
    ours, theirs = (picks(objective=objective, neighbors=neighbors, k_nn=24) for neighbors in ("cells", "faiss"))
    for chosen, neighbors in ((ours, "cells"), (theirs, "faiss")):
        assert chosen.evidence["objective_method"] == "graph"
        assert chosen.evidence["graph_neighbors"] == neighbors
        assert chosen.evidence["graph_k_nn"] == 24
        assert 0.95 < chosen.evidence["graph_recall"] <= 1
    # The same cells are looked at, so that nearly the same neighbours are found.
    assert len(set(ours.indices) & set(theirs.indices)) > 270


def test_fewer_neighbours_are_another_graph() -> None:
    assert picks(k_nn=8).indices.tolist() != picks(k_nn=64).indices.tolist()


def test_faiss_finds_the_same_at_any_thread_count() -> None:
    one, two = picks(threads=1, neighbors="faiss"), picks(threads=2, neighbors="faiss")
    assert one.evidence == two.evidence
    assert one.indices.tolist() == two.indices.tolist()


def test_faiss_says_where_there_are_no_more_neighbours() -> None:
    matrix = Matrix.from_array(np.repeat(np.eye(3, 8), 2, axis=0))
    found = faiss_neighbours(matrix, np.eye(3, 8, dtype=np.float32), 4, 1, None)
    assert found.dtype == np.int32
    assert np.sort(found, axis=1).tolist() == [[-1, -1, row // 2 * 2, row // 2 * 2 + 1] for row in range(6)]
    graph = kernels.facility_location(matrix, 3, dense_limit=0, k_nn=2, neighbours=found)
    assert graph.indices.tolist() == [0, 2, 4]
