"""Figures of coverage and duplicates, each beside its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sage_select import kernels
from sage_select.evidence import Comparison, measure
from sage_select.evidence.coverage import pairs_compared, sample_sizes
from sage_select.evidence.random_subsets import SUBSETS, random_subsets
from sage_select.kernels import Matrix, Metric

N, D, K = 300, 12, 40
METRICS: tuple[Metric, ...] = ("cosine", "dot", "sqeuclidean")


def rows(n: int = N) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(4)
    made = random.normal(size=(n, D)) + random.integers(0, 3, (n, 1))
    made[1::7] = made[::7][: len(made[1::7])] + 1e-3
    return made.astype(np.float32)


def comparison(
    picks: Any, metric: Metric = "cosine", array: np.ndarray[Any, Any] | None = None, **others: Any
) -> Comparison:
    matrix = Matrix.from_array(rows() if array is None else array, metric=metric)
    return Comparison(
        n=matrix.n,
        picks=np.array(picks, np.int64),
        seed=3,
        hashes=lambda key: kernels.keyed_hashes(key, matrix.n),
        matrix=matrix,
        **others,
    )


def by_definition(values: np.ndarray[Any, Any], picks: np.ndarray[Any, Any], metric: Metric) -> dict[str, float]:
    """Every row is in the sample of so few."""
    wide = values.astype(np.float64)
    if metric == "cosine":
        wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    similar, distant = wide @ wide.T, np.square(wide[:, None] - wide[None]).sum(axis=2)
    expected = {}
    if metric != "sqeuclidean":
        expected["coverage"] = np.maximum(similar[:, picks].max(axis=1), 0).mean()
    if metric == "dot":
        near, name = similar[:, picks].max(axis=1), "similarity"
    else:
        name = "distance"
        near = np.sqrt(distant[:, picks].min(axis=1)) if metric == "sqeuclidean" else 1 - similar[:, picks].max(axis=1)
        expected["radius"] = near.max()
    for percent in (5, 25, 50, 75, 95):
        expected[f"{name}_p{percent}"] = np.percentile(near, percent, method="inverted_cdf")
    spread = 2.0 if metric == "cosine" else distant.mean()
    among = distant[np.ix_(picks, picks)] + np.where(np.eye(len(picks)), np.inf, 0)
    expected["duplicates"] = (among.min(axis=1) <= 0.05 * spread).mean()
    return expected


@pytest.mark.parametrize("metric", METRICS)
def test_figures_by_their_definition(metric: Metric) -> None:
    picks = np.arange(0, 2 * K, 2)
    chosen = comparison(picks, metric)
    found = measure(chosen)["coverage"]
    assert (found["metric"], found["sample"], found["sample_of_picks"]) == (metric, N, K)
    expected = by_definition(rows(), picks, metric)
    assert found["figures"].keys() == expected.keys()
    of_subsets = [by_definition(rows(), subset, metric) for subset in random_subsets(chosen)]
    for name, figure in found["figures"].items():
        others = [subset[name] for subset in of_subsets]
        assert figure["selected"] == pytest.approx(expected[name], rel=1e-4, abs=1e-5)
        assert figure["random"]["mean"] == pytest.approx(np.mean(others), rel=1e-4, abs=1e-5)
        assert figure["random"]["least"] == pytest.approx(min(others), rel=1e-4, abs=1e-5)
        assert figure["random"]["most"] == pytest.approx(max(others), rel=1e-4, abs=1e-5)
    everything = by_definition(rows(), np.arange(N), metric)["duplicates"]
    assert found["duplicates_of_all"] == pytest.approx(everything, rel=1e-5)
    assert everything > 0.2


def test_duplicates_under_cosine_have_a_similarity_of_95_hundredths() -> None:
    angles = np.arccos([1, 0.9501, -1, -0.9499])
    array = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    far = np.tile(np.float32([0, -1]), (3, 1))
    shares = [
        measure(comparison(picks, array=np.concatenate([array, far])))["coverage"]["figures"]["duplicates"]["selected"]
        for picks in ([0, 1], [2, 3], [0, 1, 2, 3], [0])
    ]
    assert shares == [1, 0, 0.5, 0]


def test_samples_are_as_large_as_the_work_allows() -> None:
    # Small pools are sampled as a whole, up to limits; large ones as far as a fixed number of multiply-adds goes.
    assert sample_sizes(900, 90, 384) == (900, 90, 900)
    assert sample_sizes(50_000, 100, 64) == (5_000, 100, 1_000)
    large = sample_sizes(10**7, 10**6, 384)
    assert large == (500, 250, 0)
    for n, k, d in ((200_000, 20_000, 384), (10**6, 1000, 384), (40_000, 4000, 1024)):
        sizes = sample_sizes(n, k, d)
        assert 500 < sizes.sample < 5_000 or sizes.sample == min(n, 5_000)
        assert pairs_compared(n, k, d) * d <= 1.9e11


def test_a_sample_tells_about_what_all_rows_tell() -> None:
    array = np.random.default_rng(1).normal(size=(30_000, 8)).astype(np.float32)
    picks = np.arange(400)
    found = measure(comparison(picks, array=array))["coverage"]
    assert found["sample"] == 5_000
    unit = array / np.linalg.norm(array, axis=1, keepdims=True)
    expected = (unit @ unit[picks].T).max(axis=1).mean()
    assert found["figures"]["coverage"]["selected"] == pytest.approx(expected, abs=3e-3)


def test_threads_and_picks_in_another_order_change_nothing() -> None:
    array = np.random.default_rng(2).normal(size=(9000, 8)).astype(np.float32)
    picks = np.random.default_rng(3).permutation(9000)[:5000]
    one, two = measure(comparison(picks, array=array, threads=1)), measure(comparison(picks, array=array, threads=2))
    assert one == two == measure(comparison(picks[::-1], array=array, threads=1))


def test_random_subsets_are_of_equal_size_and_apart() -> None:
    subsets = random_subsets(comparison(np.arange(K)))
    assert len(subsets) == SUBSETS
    assert [len(set(subset.tolist())) for subset in subsets] == [K] * SUBSETS
    assert len(set(np.concatenate(subsets).tolist())) == SUBSETS * K
    without = random_subsets(comparison(np.arange(K), excluded=np.arange(7, N, 2)))
    assert [len(set(subset.tolist())) for subset in without] == [K] * SUBSETS
    assert all(((subset < 7) | (subset % 2 == 0)).all() for subset in without)
    many = random_subsets(comparison(np.arange(N - 10)))
    assert [len(set(subset.tolist())) for subset in many] == [N - 10] * SUBSETS
    assert len({tuple(sorted(subset.tolist())) for subset in many}) == SUBSETS


def test_every_row_is_as_likely_in_each_random_subset() -> None:
    counts = np.zeros((SUBSETS, N), int)
    for seed in range(300):
        draws = Comparison(n=N, picks=np.arange(K), seed=seed, hashes=lambda key: kernels.keyed_hashes(key, N))
        for count, subset in zip(counts, random_subsets(draws), strict=True):
            count[subset] += 1
    expected = 300 * K / N
    # Binomial: the standard deviation is about 5.9 of 40.
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected * (1 - K / N))
    assert counts.std(axis=1).max() < 1.2 * np.sqrt(expected * (1 - K / N))


def test_random_subsets_of_an_equal_budget_in_other_units() -> None:
    costs = np.random.default_rng(5).integers(1, 50, N)
    picks = np.argsort(costs)[:60]
    total = costs[picks].sum()
    subsets = random_subsets(comparison(picks, costs=costs))
    for subset in subsets:
        assert 0 <= total - costs[subset].sum() < 50
        assert len(subset) < 60
    assert [len(subset) for subset in random_subsets(comparison([0], costs=np.arange(N)))] == [1] * SUBSETS


def test_progress_tells_of_the_whole() -> None:
    heard: list[tuple[int, int]] = []
    measure(comparison(np.arange(K), progress=lambda done, total: heard.append((done, total))))
    assert heard == sorted(heard)
    assert heard[-1][0] == heard[-1][1] == pairs_compared(N, K, D)


@pytest.mark.parametrize("metric", METRICS)
def test_picks_for_queries_are_judged_by_the_queries(metric: Metric) -> None:
    values, queries = rows(), rows(9)[3:] + np.float32(0.1)
    matrix = Matrix.from_array(values, metric=metric)
    picks = kernels.target_match(matrix, queries, K).indices
    chosen = comparison(picks, metric, queries=queries)
    found = measure(chosen)
    wide, asked = values.astype(np.float64), queries.astype(np.float64)
    if metric == "cosine":
        wide, asked = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (wide, asked))
    if metric == "sqeuclidean":
        between, best, kind = np.sqrt(np.square(asked[:, None] - wide[None]).sum(axis=2)), np.min, "distance"
    else:
        between, best, kind = asked @ wide.T, np.max, "similarity"
    figures = found["coverage"]["figures"]
    for name, axis in ((f"query_{kind}", 1), (f"pick_{kind}", 0)):
        expected = [best(between[:, some], axis=axis).mean() for some in (picks, *random_subsets(chosen))]
        assert figures[name]["selected"] == pytest.approx(expected[0], rel=1e-4)
        assert figures[name]["random"]["mean"] == pytest.approx(np.mean(expected[1:]), rel=1e-4)
    assert set(found["verdict"]["better"]) <= {f"query_{kind}", f"pick_{kind}"}
    assert f"pick_{kind}" in found["verdict"]["better"]
    assert not found["verdict"]["alarm"]
    assert "queries" in found["verdict"]["text"]
