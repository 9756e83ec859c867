"""The table of measures: formulas, directions, and passes."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from sage_select.render.tokens import IGNORED, Encoded
from sage_select.score import MEASURES, MeasureName
from sage_select.score.measures import needed
from sage_select.score.row_means import answers_alone
from sage_select.scorers import SCORERS

FIGURES = {
    "loss": np.array([0.1, 2.0, 5.0]),
    "entropy": np.array([0.2, 1.0, 3.0]),
    "el2n": np.array([0.1, 0.6, 1.3]),
    "answer_loss": np.array([4.0, 4.0, 4.0]),
    "reference_loss": np.array([1.0, 1.0, 1.0]),
}


def test_the_names_are_those_of_the_option() -> None:
    assert list(MEASURES) == list(get_args(MeasureName))


def test_formulas() -> None:
    found = {name: one.of(FIGURES) for name, one in MEASURES.items()}
    np.testing.assert_allclose(found["perplexity"], [np.e**0.1, np.e**2, np.e**5])
    np.testing.assert_array_equal(found["mnlp"], -found["loss"])
    # The ratio of the perplexities of the answer with and without its prompt.
    np.testing.assert_allclose(found["ifd"], found["perplexity"] / np.e**4.0)
    np.testing.assert_allclose(found["learnability"], [-0.9, 1.0, 4.0])


@pytest.mark.parametrize("name", MEASURES)
def test_the_most_uncertain_row_is_the_hardest(name: MeasureName) -> None:
    values = MEASURES[name].of(FIGURES)
    assert np.argmax(values if MEASURES[name].higher_is_harder else -values) == 2
    settings = {"reference_model": "m"} if MEASURES[name].further == "reference" else {}
    assert (
        SCORERS["model"](model="m", score_measure=name, **settings).higher_is_harder is MEASURES[name].higher_is_harder
    )


def test_passes_that_are_needed() -> None:
    assert needed(list(MEASURES)) == {"answers", "reference"}
    assert needed(["loss", "mnlp", "perplexity", "entropy", "el2n"]) == set()


def test_perplexities_beyond_float64_are_infinite_and_not_warned_of() -> None:
    assert MEASURES["perplexity"].of({"loss": np.array([1e4])})[0] == np.inf


def test_answers_alone() -> None:
    x = IGNORED
    rows = {
        "an answer": (([4, 5, 6, 7], [x, x, 6, 7]), [[1, 6, 7]]),
        "two answers": (([4, 5, 6, 7], [x, 5, x, 7]), [[1, 5], [1, 7]]),
        "all of it": (([4, 5, 6], [x, 5, 6]), [[1, 5, 6]]),
        "none": (([4, 5], [x, x]), []),
    }
    for case, ((ids, labels), expected) in rows.items():
        parts = list(answers_alone(Encoded(ids, labels, 0, 0), 1))
        assert [one.input_ids for one in parts] == expected, case
        assert all(one.labels == [x, *one.input_ids[1:]] for one in parts), case
        assert sum(one.trained for one in parts) == sum(label != x for label in labels), case
