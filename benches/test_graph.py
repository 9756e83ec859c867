"""The neighbour graph of over 20,000 rows: our search of near cells beside FAISS's, and what picks on it are worth.

All searches end in the same graph; making it and checking it on 256 rows are part of the time. Notes tell the recall:
the share of the exact neighbours of these rows that is there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import Vectors, real_rows, rows_of, scaled
from benches.measure import measure
from sage_select import kernels
from sage_select.stages import Select
from sage_select.strategies import Picks, Pool

Rows = NDArray[np.int64]
K_NN = 64


def pool_of(vectors: Vectors) -> Pool:
    n = len(vectors)
    return Pool(n=n, seed=0, hashes=lambda key: kernels.keyed_hashes(key, n), matrix=kernels.Matrix.from_array(vectors))


def picks(pool: Pool, k: int, neighbors: str = "cells") -> Picks:
    select = Select.make(strategy="diversity", objective="facility", budget=k, k_nn=K_NN, neighbors=neighbors)
    return select.pick(pool)


def ours(pool: Pool) -> float:
    """Our search: cells by k-means, int16 within them."""
    return float(picks(pool, 1).evidence["graph_recall"])


def ours_by_faiss(pool: Pool) -> float:
    """The same cells, searched by FAISS's inverted file in float32."""
    return float(picks(pool, 1, "faiss").evidence["graph_recall"])


def faiss_hnsw(pool: Pool) -> float:
    """A navigable small world, built and searched with all threads: another one each time."""
    import faiss

    matrix = pool.need_matrix()
    vectors = matrix.take(np.arange(pool.n))
    index = faiss.IndexHNSWFlat(matrix.d, 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 80
    index.hnsw.efSearch = 160
    index.add(vectors)
    neighbours = index.search(vectors, K_NN)[1].astype(np.int32)
    return kernels.facility_location(matrix, 1, k_nn=K_NN, dense_limit=0, neighbours=neighbours).recall


CASES = [
    pytest.param(("real", 36_086), id="real"),
    pytest.param(("clustered", 200_000), id="clustered"),
    pytest.param(("jittered", 200_000), id="jittered"),
    pytest.param(("jittered", 1_000_000), id="jittered-1M", marks=pytest.mark.large),
]
#: The most rows that each is run on: what HNSW takes grows faster than the rows.
METHODS = {ours: 1_000_000, ours_by_faiss: 1_000_000, faiss_hnsw: 40_000}


@pytest.fixture(scope="module", params=CASES)
def searched(request: pytest.FixtureRequest) -> tuple[str, Pool]:
    kind, n = request.param
    # The graph is for more than 20,000 rows, at any scale.
    return kind, pool_of(real_rows() if kind == "real" else rows_of(kind, max(20_001, scaled(n))))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_graph(method: Callable[[Pool], float], searched: tuple[str, Pool], benchmark: BenchmarkFixture) -> None:
    kind, pool = searched
    if not 20_000 < pool.n <= METHODS[method]:
        pytest.skip(f"{method.__name__} is not run on {pool.n:,} rows")
    recall = measure(
        benchmark,
        lambda: method(pool),
        group=f"neighbour graph: {K_NN} of {pool.n:,} x {pool.need_matrix().d}",
        case=kind,
        method=method.__name__,
        rounds=1,
    )
    assert recall > 0.95
    benchmark.extra_info["note"] = f"recall {recall:.3f}"


def value(vectors: Vectors, clients: Rows, chosen: Rows) -> float:
    """Return what picks are worth to some clients, on all similarities."""
    parts = np.array_split(clients, max(1, len(clients) // 1000))
    return sum(float(np.maximum(vectors[part] @ vectors[chosen].T, 0).max(axis=1).sum()) for part in parts)


@pytest.mark.parametrize("k", [200, 1000])
@pytest.mark.parametrize("kind", ["real", "clustered", "jittered"])
def test_graph_beside_dense(kind: str, k: int, benchmark: BenchmarkFixture) -> None:
    """Both on 20,000 rows: the graph found in cells as for many rows, and all pairs."""
    n = 20_000
    rows = real_rows() if kind == "real" else rows_of(kind, n)
    vectors = rows[np.linspace(0, len(rows) - 1, min(n, len(rows))).astype(np.int64)]
    matrix = kernels.Matrix.from_array(vectors)
    clients = np.arange(len(vectors))
    exact = value(vectors, clients, kernels.facility_location(matrix, k).indices)
    by_chance = value(vectors, clients, np.random.default_rng(0).choice(len(vectors), k, replace=False))
    centroids = vectors[np.random.default_rng(1).choice(len(vectors), 4 * int(len(vectors) ** 0.5), replace=False)]

    def graph() -> Rows:
        probe = -(-4000 * len(centroids) // len(vectors))
        return kernels.facility_location(matrix, k, dense_limit=0, centroids=centroids, probe=probe).indices

    found = measure(
        benchmark,
        graph,
        group=f"facility location on the graph: {k:,} of {len(vectors):,} x {vectors.shape[1]}",
        case=kind,
        method="ours",
        rounds=1,
    )
    worth = value(vectors, clients, found)
    assert worth > 0.99 * exact
    benchmark.extra_info["note"] = (
        f"{worth / exact:.4f} of the dense greedy's value, {worth / by_chance:.3f} of random picks'"
    )


@pytest.mark.parametrize(
    ("kind", "n", "k"),
    [
        ("real", 36_086, 1000),
        ("clustered", 200_000, 1000),
        ("jittered", 200_000, 1000),
        pytest.param("jittered", 1_000_000, 10_000, marks=pytest.mark.large),
    ],
)
def test_graph_beside_random(kind: str, n: int, k: int, benchmark: BenchmarkFixture) -> None:
    """What the picks are worth to 5,000 random clients, beside random picks."""
    vectors = real_rows() if kind == "real" else rows_of(kind, max(20_001, scaled(n)))
    random = np.random.default_rng(0)
    clients = random.choice(len(vectors), min(5000, len(vectors)), replace=False)
    by_chance = value(vectors, clients, random.choice(len(vectors), k, replace=False))
    pool = pool_of(vectors)
    found = measure(
        benchmark,
        lambda: picks(pool, k),
        group=f"facility location on the graph: {k:,} of {len(vectors):,} x {vectors.shape[1]}",
        case=kind,
        method="ours",
        rounds=1,
    )
    worth = value(vectors, clients, found.indices)
    assert worth > by_chance
    benchmark.extra_info["note"] = f"{worth / by_chance:.3f} of random picks' value to 5,000 rows"
