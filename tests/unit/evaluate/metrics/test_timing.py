"""When a tool is called: values worked out by hand, beside the majority's."""

from __future__ import annotations

import pytest

from sage_select.evaluate import ToolCall
from sage_select.evaluate.metrics import TIMING, Figure, ToolRecord, figure

A = (ToolCall("a"),)


def turns(*, both: int = 0, missed: int = 0, false: int = 0, quiet: int = 0, torn: int = 0) -> list[ToolRecord]:
    """Return turns of each kind; torn ones expect no call and have something unreadable."""
    kinds = (
        [(A, A, 0)] * both + [(A, (), 0)] * missed + [((), A, 0)] * false + [((), (), 0)] * quiet + [((), (), 1)] * torn
    )
    return [ToolRecord(f"{number}", 1, *kind) for number, kind in enumerate(kinds)]


def figures(records: list[ToolRecord]) -> dict[str, Figure]:
    return {metric.name.removeprefix("timing_"): figure(metric, records) for metric in TIMING}


def test_values_and_the_majority_that_calls() -> None:
    found = figures(turns(both=5, missed=1, false=2, quiet=1, torn=1))
    expected = {
        "accuracy": (6 / 10, 6 / 10),
        "precision": (5 / 8, 6 / 10),
        "recall": (5 / 6, 1.0),
        "f1": (10 / 14, 12 / 16),
        "balanced_accuracy": ((5 / 6 + 1 / 4) / 2, 0.5),
    }
    for name, (value, baseline) in expected.items():
        assert (found[name].value, found[name].baseline) == (pytest.approx(value), pytest.approx(baseline)), name


def test_the_majority_that_does_not_call() -> None:
    found = figures(turns(both=1, missed=1, false=1, quiet=3))
    assert {name: one.baseline for name, one in found.items()} == {
        "accuracy": pytest.approx(4 / 6),
        "precision": None,
        "recall": 0,
        "f1": 0,
        "balanced_accuracy": 0.5,
    }
    assert "never calls" in str(found["precision"].baseline_none)


def test_a_tie_has_no_majority() -> None:
    found = figures(turns(both=1, missed=1, false=1, quiet=1))
    assert found["accuracy"].baseline == found["balanced_accuracy"].baseline == 0.5
    for name in ("precision", "recall", "f1"):
        assert found[name].baseline is None
        assert "neither is the majority" in str(found[name].baseline_none)
        assert found[name].value == 0.5


def test_one_kind_of_turn_alone_has_no_timing() -> None:
    for records, why in (
        (turns(both=20), "no turn without a call is judged"),
        (turns(quiet=20), "no turn with a call is judged"),
    ):
        for one in figures(records).values():
            assert (one.value, one.why_none, one.baseline) == (None, why, None)


def test_a_model_that_never_calls() -> None:
    found = figures(turns(missed=3, quiet=4))
    assert (found["precision"].value, found["precision"].why_none) == (None, "the model calls no tool")
    assert [found[name].value for name in ("recall", "f1", "balanced_accuracy")] == [0, 0, 0.5]


def test_intervals_need_ten_rows_of_what_they_are_over() -> None:
    found = figures(turns(both=6, missed=3, false=3, quiet=30))
    assert found["accuracy"].interval.bounds is not None
    assert found["balanced_accuracy"].interval.why_none == "too few rows for an interval (9 of at least 10)"
    assert found["recall"].interval.bounds is None
