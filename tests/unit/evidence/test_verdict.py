"""The rule by which a selection is better than random rows, and its words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sage_select import kernels
from sage_select.evidence import Subject, measure
from sage_select.evidence.figure import Figure
from sage_select.evidence.verdict import EVERYTHING, NO_VECTORS, NOTHING, verdict
from sage_select.kernels import Matrix


@pytest.mark.parametrize(
    ("selected", "better", "best", "standing"),
    [
        (3.1, "more", None, "better"),
        (3.0, "more", None, "no better"),
        (2.0, "more", None, "no better"),
        (0.5, "less", None, "better"),
        (1.0, "less", None, "no better"),
        (1.0, "less", 1.0, None),
        (0.5, "less", 0.5, "better"),
        (9.0, None, None, None),
    ],
)
def test_better_is_beyond_every_random_subset(selected: float, better: Any, best: Any, standing: str | None) -> None:
    assert Figure(selected, (1.0, 2.0, 3.0), better, best).standing == standing


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
        Subject(
            n=1200, picks=np.asarray(picks), seed=0, hashes=lambda key: kernels.keyed_hashes(key, 1200), matrix=matrix
        )
    )["verdict"]
    return decided


def test_rows_that_represent_all_others_are_better_than_random() -> None:
    matrix, _ = clustered()
    decided = judged(matrix, kernels.facility_location(matrix, 40).indices)
    assert decided["better"] == ["coverage", "distance_p50", "radius", "duplicates"]
    assert decided["no_better"] == []
    assert decided["text"] == (
        "better than each of 5 random subsets on coverage, median distance, radius and duplicates"
    )


def test_the_hardest_rows_alone_are_no_better_and_that_is_said() -> None:
    matrix, scores = clustered()
    decided = judged(matrix, kernels.top_k(scores, 40))
    assert decided["better"] == []
    assert decided["no_better"] == ["coverage", "distance_p50", "radius", "duplicates"]
    assert decided["text"].startswith("no better than random rows at covering the data (coverage 0.")
    assert decided["text"].endswith("), nor on median distance, radius and duplicates")


def test_random_rows_are_no_better_than_random_rows() -> None:
    matrix, _ = clustered()
    ahead = [len(judged(matrix, np.random.default_rng(seed).permutation(1200)[:40])["better"]) for seed in range(20)]
    # A sixth of the time a subset is the best of six.
    assert 0 < np.mean(ahead) < 1.5


def test_both_ways_are_said_together() -> None:
    figures = {
        "radius": Figure(0.5, (0.6, 0.7), "less"),
        "distance_p50": Figure(0.4, (0.3, 0.5), "less"),
        "distance_p95": Figure(9.0, (0.3, 0.5), "less"),
        "duplicates": Figure(0.0, (0.0, 0.1), "less", 0.0),
    }
    assert verdict(figures) == {
        "better": ["radius"],
        "no_better": ["distance_p50"],
        "text": "no better than random rows at covering the data (median distance 0.4, random rows 0.4); "
        "better than each of 5 random subsets on radius",
    }
    figures["coverage"] = Figure(0.9, (0.8, 0.85), "more")
    assert verdict(figures)["text"] == (
        "no better than random rows on median distance; better than each of 5 random subsets on coverage and radius"
    )
    assert verdict({"radius": Figure(0.0, (0.0, 0.0), "less", 0.0)})["text"] == (
        "as good as can be, and so are random rows"
    )


def test_what_cannot_be_compared_is_not() -> None:
    matrix, _ = clustered()
    assert judged(None, [1, 2])["text"] == NO_VECTORS
    assert judged(matrix, [])["text"] == NOTHING
    assert judged(matrix, np.arange(1200))["text"] == EVERYTHING
