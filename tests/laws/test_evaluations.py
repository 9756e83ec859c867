"""How much work selection does: counts, the same on every machine, so that a slow-down cannot hide in noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.kernels import Matrix
from sage_select.stages import Select
from sage_select.strategies import Pool
from sage_select.strategies.cells import train_centroids
from sage_select.strategies.duplicates import PROBE
from sage_select.strategies.objectives.similarities import GRAPH_CELLS, graph_cells


def cloud(n: int, d: int = 96, *, clusters: int = 0) -> NDArray[np.float32]:
    """Return rows with a decaying spectrum, as embeddings have; around `clusters` centres of unequal size, if any."""
    random = np.random.default_rng(0)
    spectrum = np.arange(1, d + 1) ** -0.5
    rows = random.normal(size=(n, d)) * spectrum
    if clusters:
        sizes = random.zipf(1.5, clusters).clip(max=50)
        member = random.choice(clusters, n, p=sizes / sizes.sum())
        rows = (random.normal(size=(clusters, d)) * spectrum)[member] + 0.4 * rows
    return rows.astype(np.float32)


def real_rows(folder: Path) -> NDArray[np.generic]:
    """Return the embeddings of 36,086 real texts."""
    files = ("clinc150/train", "clinc150/test", "metatool/queries")
    return np.concatenate([np.load(folder / f"{name}.minilm.npy") for name in files])


def share(rows: NDArray[np.generic], k: int) -> float:
    """Return the share of all k * n comparisons that k-center makes."""
    found = kernels.k_center(Matrix.from_array(rows), k)
    assert len(set(found.indices.tolist())) == k
    return found.evaluations / (k * len(rows))


@pytest.mark.parametrize(("clusters", "maximum"), [(0, 0.21), (20, 0.28)])
def test_k_center_compares_few_pairs(clusters: int, maximum: float) -> None:
    assert 0.01 < share(cloud(20_000, clusters=clusters), 500) < maximum


@pytest.mark.real_data
def test_k_center_compares_few_pairs_of_real_rows(shared_data: Path) -> None:
    assert 0.01 < share(real_rows(shared_data), 1000) <= 0.30


@pytest.mark.real_data
def test_near_cells_hold_nearly_all_neighbours_of_real_rows(shared_data: Path) -> None:
    rows = real_rows(shared_data)
    pool = Pool(
        n=len(rows), seed=0, hashes=lambda key: kernels.keyed_hashes(key, len(rows)), matrix=Matrix.from_array(rows)
    )
    evidence = Select.make(strategy="diversity", budget=1).pick(pool).evidence
    assert evidence["objective_method"] == "graph"
    assert evidence["graph_recall"] >= 0.975


@pytest.mark.parametrize(("clusters", "maximum"), [(0, 3.0), (20, 3.5)])
def test_herding_guesses_most_picks(clusters: int, maximum: float) -> None:
    # A pass takes 12 products a row, so 12 a pick would be a pass for each.
    rows = cloud(20_000, clusters=clusters)
    assert 1 < kernels.herding(Matrix.from_array(rows), 500).evaluations / (500 * len(rows)) < maximum


def test_the_threshold_filter_compares_few_pairs() -> None:
    rows = cloud(6000, clusters=60)
    found = kernels.threshold_filter(Matrix.from_array(rows), range(6000), 6000, threshold=0.8)
    assert len(found.indices) > 100
    # A row that is too near is compared with no more than those picked up to the first that shows it.
    assert found.evaluations < 0.3 * len(rows) * len(found.indices)


@pytest.mark.real_data
def test_near_duplicates_compare_few_pairs_exactly_of_real_rows(shared_data: Path) -> None:
    rows = real_rows(shared_data)
    order = np.arange(len(rows))
    pairs = len(rows) ** 2 / 2
    found = kernels.near_duplicates(Matrix.from_array(rows), order, threshold=0.95)
    count = int((found.representatives == order).sum())
    assert 30_000 < count < 34_000
    # Each row is compared with the representatives before it once on few coordinates, and with hardly any once more.
    assert 0.8 < found.evaluations / pairs < 0.92


@pytest.mark.real_data
def test_near_cells_admit_the_near_duplicates_of_real_rows(shared_data: Path) -> None:
    rows = real_rows(shared_data)
    count, _ = graph_cells(len(rows))
    pool = Pool(
        n=len(rows), seed=0, hashes=lambda key: kernels.keyed_hashes(key, len(rows)), matrix=Matrix.from_array(rows)
    )
    centroids = train_centroids(pool, count, GRAPH_CELLS)
    order = np.arange(len(rows))
    for threshold, recall in ((0.95, 0.999), (0.8, 0.98)):
        found = kernels.near_duplicates(
            pool.need_matrix(), order, threshold=threshold, centroids=centroids, probe=PROBE
        )
        exact = kernels.near_duplicates(pool.need_matrix(), order, threshold=threshold)
        assert found.recall >= recall
        # The recall of the sample holds for all rows: as large a share of the duplicates is found.
        some, every = ((one.representatives != order).sum() for one in (found, exact))
        assert recall <= some / every <= 1
        # Half of this are the rows of the sample, which are compared with all others.
        assert found.evaluations < 0.25 * exact.evaluations


def test_round_robin_searches_the_rows_a_few_times() -> None:
    rows = cloud(20_000, clusters=20)
    # Many query rows near the rows of one region.
    queries = rows[:1] + 0.1 * cloud(200)
    found = kernels.target_match(Matrix.from_array(rows), queries, 2000)
    assert 1 <= found.evaluations / (200 * len(rows)) < 6


def comparisons_per_squared_pick(rows: NDArray[np.generic], k: int) -> float:
    """Return how many comparisons D2 sampling makes beyond those of the first pick, which are two a row, over k * k."""
    found = kernels.d2(Matrix.from_array(rows), k, key=1)
    assert len(set(found.indices.tolist())) == k
    return (found.evaluations - 2 * len(rows)) / k**2


@pytest.mark.parametrize(("clusters", "maximum"), [(0, 0.65), (20, 1.1)])
def test_d2_compares_pairs_by_the_picks_not_by_the_rows(clusters: int, maximum: float) -> None:
    # All pairs would be 20 k^2.
    assert 0.25 < comparisons_per_squared_pick(cloud(20_000, clusters=clusters), 1000) < maximum


@pytest.mark.real_data
def test_d2_compares_few_pairs_of_real_rows(shared_data: Path) -> None:
    # All pairs would be 15 k^2.
    rows = np.load(shared_data / "clinc150/train.minilm.npy")
    assert 0.25 < comparisons_per_squared_pick(rows, 1000) < 0.7


@pytest.mark.parametrize("pick_by", [kernels.facility_location, kernels.graph_cut])
def test_few_gains_are_computed(pick_by: Callable[..., kernels.Greedy]) -> None:
    rows = cloud(3000, clusters=60)
    found = pick_by(Matrix.from_array(rows), 300)
    assert 3000 <= found.evaluations < 0.1 * 300 * 3000
