from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_cases import many_rows

from sage_select import kernels
from sage_select.errors import DataError, UsageError
from sage_select.kernels import Matrix, Request


@settings(deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(0, 40), c=st.integers(1, 9), d=st.integers(1, 20))
def test_cells_are_the_nearest_the_lowest_of_equal_ones(seed: int, n: int, c: int, d: int) -> None:
    random = np.random.default_rng(seed)
    data, centroids = random.integers(-2, 3, (n, d)), random.integers(-2, 3, (c, d))
    # Whole numbers: distances are exact, and argmin takes the first of equal ones.
    expected = np.square(data[:, None] - centroids[None]).sum(axis=2).argmin(axis=1)
    matrix = Matrix.from_array(data.astype(np.float32), metric="sqeuclidean")
    for kind in (np.float32, np.float64, np.float16):
        found = kernels.assign_cells(matrix, centroids.astype(kind))
        assert found.dtype == np.int32
        assert found.tolist() == expected.tolist()


def test_centroids_are_checked() -> None:
    matrix = Matrix.from_array(np.ones((3, 2)))
    for bad in (np.ones((2, 3)), np.ones((0, 2)), np.ones(2), np.ones((2, 2), int), np.array([["a", "b"]])):
        with pytest.raises(DataError, match="centroids do not fit"):
            kernels.assign_cells(matrix, bad)
    with pytest.raises(UsageError, match="centroid 1 holds NaN or infinity"):
        kernels.assign_cells(matrix, np.array([[0.0, 1.0], [np.inf, 0.0]]))


def nearest_of_cells(
    distance: NDArray[np.float64], k: int, preselected: list[int], excluded: list[int]
) -> tuple[list[int], list[int], int]:
    """Follow the documentation of `medoids` step by step; `distance` is that of rows to centroids."""
    labels = distance.argmin(axis=1) if len(distance) else np.empty(0, int)
    sizes = np.bincount(labels, minlength=distance.shape[1])
    order = sorted(range(distance.shape[1]), key=lambda cell: (-sizes[cell], cell))
    unavailable, picks, cells_of, fills, first = {*preselected, *excluded}, [], [], 0, True
    while len(picks) < k:
        for cell in order:
            rows = [row for row in np.flatnonzero(labels == cell).tolist() if row not in unavailable]
            skipped = first and any(labels[row] == cell for row in preselected)
            if rows and not skipped and len(picks) < k:
                picks.append(min(rows, key=lambda row: (distance[row, cell], row)))
                unavailable.add(picks[-1])
                cells_of.append(cell)
                fills += not first
        first = False
    return picks, sizes[cells_of].tolist() if picks else [], fills


@settings(deadline=None)
@given(data=st.data(), seed=st.integers(0, 999), n=st.integers(0, 30), c=st.integers(1, 9), d=st.integers(1, 20))
def test_medoids_follow_their_definition(data: st.DataObject, seed: int, n: int, c: int, d: int) -> None:
    random = np.random.default_rng(seed)
    rows, centroids = random.integers(-2, 3, (n, d)), random.integers(-2, 3, (c, d))
    unavailable = data.draw(st.lists(st.integers(0, n - 1), unique=True, max_size=6)) if n else []
    preselected, excluded = unavailable[::2], unavailable[1::2]
    k = data.draw(st.integers(0, n - len(unavailable)))
    distance = np.square(rows[:, None] - centroids[None]).sum(axis=2).astype(np.float64)
    matrix = Matrix.from_array(rows.astype(np.float32), metric="sqeuclidean")
    found = kernels.medoids(matrix, centroids.astype(np.float32), Request(k, preselected, excluded))
    assert (found.indices.dtype, found.sizes.dtype) == (np.int64, np.float32)
    picks, sizes, fills = nearest_of_cells(distance, k, preselected, excluded)
    assert (found.indices.tolist(), found.sizes.tolist(), found.fills) == (picks, sizes, fills)


def test_medoids_check_their_input() -> None:
    matrix = Matrix.from_array(np.eye(3))
    with pytest.raises(DataError, match="centroids do not fit"):
        kernels.medoids(matrix, np.ones((2, 2)), 1)
    with pytest.raises(UsageError, match="3 rows are requested, but there are 2 to pick from"):
        kernels.medoids(matrix, np.ones((1, 3)), Request(3, [1]))
    with pytest.raises(UsageError, match="row 1: the row is named twice"):
        kernels.medoids(matrix, np.ones((1, 3)), Request(1, [1], [1]))


def reference(scores: Any, cells: Any, count: int, quantile: float) -> list[int]:
    """Follow the documentation of `stratified` step by step, with exact fractions."""
    scores, cells = np.asarray(scores, float), np.asarray(cells)
    n, picks = len(scores), []
    names, sizes = np.unique(cells, return_counts=True)
    shares = {int(name): count * int(size) // n for name, size in zip(names, sizes, strict=True)}
    left = count - sum(shares.values())
    remainders = sorted((-(count * int(size) % n), int(name)) for name, size in zip(names, sizes, strict=True))
    for _, name in remainders[:left]:
        shares[name] += 1
    for name, share in shares.items():
        inside = sorted(np.flatnonzero(cells == name), key=lambda row: (scores[row], row))
        start = int(np.floor(quantile * (len(inside) - 1) - (share - 1) / 2 + 0.5))
        start = min(max(start, 0), len(inside) - share)
        picks += inside[start : start + share]
    return sorted((int(row) for row in picks), key=lambda row: (-scores[row], row))


@settings(deadline=None)
@given(data=st.data(), n=st.integers(0, 50), dtype=st.sampled_from([np.float32, np.float64, np.int64]))
def test_stratified_follows_its_definition(data: st.DataObject, n: int, dtype: type) -> None:
    scores: NDArray[Any] = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n)), dtype)
    cells = np.array(data.draw(st.lists(st.sampled_from([0, 1, 2, 70]), min_size=n, max_size=n)), np.int64)
    count = data.draw(st.integers(0, n))
    quantile = data.draw(st.sampled_from([0, 0.25, 0.35, 0.5, 0.75, 1.0]))
    ranked = kernels.stratified(scores, cells, count, quantile)
    assert ranked.dtype == np.int64
    assert ranked[:count].tolist() == reference(scores, cells, count, quantile)
    assert sorted(ranked.tolist()) == list(range(n))


def test_stratified_in_one_cell_is_a_window_of_the_ranking() -> None:
    scores = np.arange(100.0)
    assert kernels.stratified(scores, np.zeros(100, int), 3, 0.25)[:7].tolist() == [26, 25, 24, 27, 23, 28, 22]
    assert kernels.stratified(scores, np.zeros(100, int), 2, 1)[:4].tolist() == [99, 98, 97, 96]
    assert kernels.stratified(scores, np.arange(100), 100, 0.5).tolist() == list(range(99, -1, -1))


def test_stratified_checks_its_input() -> None:
    ones, zeros = np.ones(3), np.zeros(3, np.int32)
    with pytest.raises(UsageError, match="number of cells"):
        kernels.stratified(ones, zeros[:2], 1, 0.5)
    for bad in (-0.1, 1.1, np.nan, "half", None):
        with pytest.raises(UsageError, match="quantile"):
            kernels.stratified(ones, zeros, 1, bad)  # type: ignore[arg-type]
    for count in (-1, 4):
        with pytest.raises(UsageError):
            kernels.stratified(ones, zeros, count, 0.5)
    with pytest.raises(DataError, match="row 1: the value is NaN"):
        kernels.stratified([1, np.nan, 2], zeros, 1, 0.5)
    with pytest.raises(DataError, match="row 2: the cell number is negative"):
        kernels.stratified(ones, [0, 0, -1], 1, 0.5)
    with pytest.raises(DataError, match="row 1: cells holds a number that does not fit"):
        kernels.stratified(ones, [0, 2**31, 0], 1, 0.5)
    with pytest.raises(DataError, match="cells must be whole numbers"):
        kernels.stratified(ones, ones, 1, 0.5)


def test_k_means_comes_as_near_as_faiss(shared_data: Path) -> None:
    import faiss

    rows = np.load(shared_data / "clinc150" / "train.minilm.npy")[::3].astype(np.float32)
    matrix = Matrix.from_array(rows, metric="sqeuclidean")
    sample = np.random.default_rng(0).permutation(len(rows))
    ours = kernels.k_means(matrix, 200, sample)
    theirs = faiss.Kmeans(rows.shape[1], 200, niter=10, seed=1)
    theirs.train(rows)

    def spread(centroids: NDArray[np.float32]) -> float:
        nearest = centroids[kernels.assign_cells(matrix, centroids)]
        return float(np.square(rows - nearest).sum())

    assert ours.shape == (200, rows.shape[1])
    assert spread(ours) < 1.02 * spread(theirs.centroids)
    assert spread(ours) < 0.9 * spread(rows[sample[:200]])


def test_arguments_of_k_means_are_checked() -> None:
    matrix = Matrix.from_array(np.eye(3))
    for cells, sample in ((0, [0, 1]), (3, [0, 1]), (1, [3]), (1, [-1]), (1.5, [0])):
        with pytest.raises(UsageError):
            kernels.k_means(matrix, cells, sample)  # type: ignore[arg-type]


def test_cell_distances_are_those_to_the_own_centroid() -> None:
    random = np.random.default_rng(2)
    rows, centroids = random.normal(size=(50, 7)), random.normal(size=(4, 7))
    matrix = Matrix.from_array(rows, metric="sqeuclidean")
    cells = kernels.assign_cells(matrix, centroids)
    expected = np.square(rows - centroids[cells]).sum(axis=1)
    np.testing.assert_allclose(kernels.cell_distances(matrix, centroids, cells), expected, rtol=1e-5)
    with pytest.raises(UsageError, match="cell 9 has no centroid"):
        kernels.cell_distances(matrix, centroids, [9] * 50)
    with pytest.raises(DataError, match="cells, row 3: the cell number is negative"):
        kernels.cell_distances(matrix, centroids, [0, 0, 0, -1] + [0] * 46)
    with pytest.raises(UsageError, match="number of cells must be 50, not 2"):
        kernels.cell_distances(matrix, centroids, [0, 0])


def test_cells_over_several_blocks() -> None:
    rows, centroids = many_rows(3001), many_rows(300)
    distance = np.square(rows[:, None].astype(np.float64) - centroids[None]).sum(axis=2)
    matrix = Matrix.from_array(rows, metric="sqeuclidean")
    cells = kernels.assign_cells(matrix, centroids)
    assert cells.tolist() == distance.argmin(axis=1).tolist()
    assert kernels.cell_distances(matrix, centroids, cells).tolist() == distance.min(axis=1).tolist()
    found = kernels.medoids(matrix, centroids, Request(320, [2999], [3000]))
    picks, sizes, fills = nearest_of_cells(distance, 320, [2999], [3000])
    assert (found.indices.tolist(), found.sizes.tolist(), found.fills) == (picks, sizes, fills)
