"""The rule by which a selection is better than random rows, and its words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sage_select import kernels
from sage_select.evidence import Comparison, measure
from sage_select.evidence.figure import Figure
from sage_select.evidence.verdict import EVERYTHING, NO_VECTORS, NOTHING, verdict
from sage_select.kernels import Matrix


@pytest.mark.parametrize(
    ("selected", "better", "best", "standing"),
    [
        (2.4, "more", None, "better"),
        (2.2, "more", None, "undecided"),
        (2.0, "more", None, "undecided"),
        (1.6, "more", None, "worse"),
        (1.6, "less", None, "better"),
        (1.8, "less", None, "undecided"),
        (2.4, "less", None, "worse"),
        (2.0, "less", 1.9, "undecided"),
        (9.0, None, None, None),
    ],
)
def test_better_and_worse_are_beyond_the_noise(selected: float, better: Any, best: Any, standing: str | None) -> None:
    # One more random subset lies within 0.31 of the mean but once in twenty times.
    assert Figure(selected, (1.9, 1.9, 2.0, 2.1, 2.1), better, best).outcome == standing


def test_a_difference_that_means_nothing_is_none() -> None:
    # As six rows gave: 0 beside 7e-8.
    assert Figure(0.0, (0.0, 1.2e-7, 6e-8, 0.0, 1.2e-7), "less", 0.0, 1e-3).outcome is None
    assert Figure(6e-8, (0.0,) * 5, "less", 0.0, 1e-3).outcome is None
    assert Figure(0.804, (0.8,) * 5, "more", None, 1e-3).outcome == "undecided"
    assert Figure(0.82, (0.8,) * 5, "more", None, 1e-3).outcome == "better"
    assert Figure(0.183, (0.098, 0.099, 0.097, 0.1, 0.096), "less", 0.0, 0.01).outcome == "worse"
    assert Figure(1.0, (), "less", 0.0).outcome is None
    assert Figure(1.0, ()).values() == {"selected": 1.0, "random": None}


def test_the_noise_is_that_of_one_more_subset() -> None:
    """Of random numbers one in twenty lies beyond, as Student's t says."""
    random = np.random.default_rng(0).normal(size=(20_000, 6))
    beyond = [
        Figure(row[0], tuple(row[1:])).noise < abs(row[0] - row[1:].mean())
        for row in random.tolist()
        for row in [np.array(row)]
    ]
    assert 0.045 < np.mean(beyond) < 0.055


def test_a_number_is_told_with_the_mean_and_the_range() -> None:
    figure = Figure(1 / 3, (1.0, 2.0, 6.0))
    assert figure.values() == {"selected": 0.333333, "random": {"mean": 3.0, "least": 1.0, "most": 6.0}}


def clustered() -> tuple[Matrix, np.ndarray[Any, Any]]:
    """Return 40 clusters, and a score that is highest in one of them."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(40, 16))
    array = np.repeat(centres, 30, axis=0) + 0.1 * random.normal(size=(1200, 16))
    scores = -np.linalg.norm(array - centres[35], axis=1)
    return Matrix.from_array(array.astype(np.float32)), scores


def judged(matrix: Matrix | None, picks: Any) -> dict[str, Any]:
    decided: dict[str, Any] = measure(
        Comparison(
            n=1200, picks=np.asarray(picks), seed=0, hashes=lambda key: kernels.keyed_hashes(key, 1200), matrix=matrix
        )
    )["verdict"]
    return decided


def test_rows_that_represent_all_others_are_better_than_random() -> None:
    matrix, _ = clustered()
    decided = judged(matrix, kernels.facility_location(matrix, 40).indices)
    assert decided["better"] == ["coverage", "radius", "duplicates"]
    assert decided["worse"] == []
    assert not decided["alarm"]
    assert (
        decided["text"] == "better than random rows on coverage, radius and duplicates; no different on median distance"
    )


def test_the_hardest_rows_alone_are_no_better_and_that_is_said() -> None:
    matrix, scores = clustered()
    decided = judged(matrix, kernels.top_k(scores, 40))
    assert decided["better"] == []
    assert decided["worse"] == ["coverage", "distance_p50", "radius", "duplicates"]
    assert decided["alarm"]
    assert decided["text"].startswith("worse than random rows: coverage 0.219 beside 0.813, median distance 0.842")
    assert "duplicates 100.0% beside " in decided["text"]


def test_random_rows_are_no_better_than_random_rows() -> None:
    matrix, _ = clustered()
    ahead = [len(judged(matrix, np.random.default_rng(seed).permutation(1200)[:40])["better"]) for seed in range(20)]
    # Once in forty times, of four figures.
    assert np.mean(ahead) < 0.2


def test_all_ways_are_said_together() -> None:
    figures = {
        "radius": Figure(0.5, (0.6, 0.61), "less"),
        "distance_p50": Figure(0.4, (0.3, 0.5), "less"),
        "distance_p95": Figure(9.0, (0.3, 0.5), "less"),
        "duplicates": Figure(0.183, (0.098, 0.098), "less", 0.0),
    }
    figures["radius"] = Figure(0.5, (0.6, 0.6), "less")
    assert verdict(figures) == {
        "better": ["radius"],
        "worse": ["duplicates"],
        "undecided": ["distance_p50"],
        "alarm": True,
        "text": "no better than random rows at covering the data (median distance 0.4 beside 0.4); "
        "worse than random rows: duplicates 18.3% beside 9.8%; "
        "better than random rows on radius",
    }
    del figures["duplicates"]
    figures["coverage"] = Figure(0.9, (0.8, 0.8), "more")
    assert verdict(figures)["text"] == (
        "better than random rows on coverage and radius; no different on median distance"
    )
    assert not verdict(figures)["alarm"]
    assert verdict({"radius": Figure(0.0, (0.0, 0.0), "less", 0.0)})["text"] == (
        "as good as can be, and so are random rows"
    )
    assert verdict({"query_similarity": Figure(0.5, (0.5, 0.5), "more")})["text"].startswith(
        "no better than random rows on"
    )


@pytest.mark.parametrize("metric", ["cosine", "dot", "sqeuclidean"])
@pytest.mark.parametrize(("n", "k"), [(2, 1), (2, 2), (3, 2), (50, 1), (50, 49), (50, 50)])
@pytest.mark.parametrize("equal", [False, True])
def test_odd_numbers_of_rows_have_a_verdict_that_can_be_right(metric: Any, n: int, k: int, equal: bool) -> None:
    array = np.ones((n, 3)) if equal else np.random.default_rng(n).normal(size=(n, 3))
    found = measure(
        Comparison(
            n=n,
            picks=np.arange(k),
            seed=0,
            hashes=lambda key: kernels.keyed_hashes(key, n),
            matrix=Matrix.from_array(array.astype(np.float32), metric=metric),
            lengths=lambda rows: rows + 1,
        )
    )
    decided = found["verdict"]
    assert found["random_subsets"] == (0 if k == n else 5)
    assert (found["lengths"]["total"]["random"] is None) == (k == n)
    if k == n:
        assert decided["text"] == EVERYTHING
    elif equal and metric != "dot":
        # Nothing can be told apart, and nothing is.
        assert decided["better"] == decided["worse"] == []
    elif k == n - 1:
        # All but one row: no more than one row in fifty may make a difference.
        assert not decided["better"] or n < 50


def test_what_cannot_be_compared_is_not() -> None:
    matrix, _ = clustered()
    assert judged(None, [1, 2])["text"] == NO_VECTORS
    assert judged(matrix, [])["text"] == NOTHING
    assert judged(matrix, np.arange(1200))["text"] == EVERYTHING
