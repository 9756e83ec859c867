"""What tools are called with: values worked out by hand, and pairings against all permutations."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.evaluate import ToolCall
from sage_select.evaluate.metrics import ToolRecord, figure, tool_metrics
from sage_select.evaluate.metrics.pairing import greedy_pairs, most_pairs

METRICS = {metric.name: metric for metric in tool_metrics()}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "wind": {"type": "number"}},
    "required": ["city"],
}


def call(city: Any = None, days: Any = None, *, name: str = "weather", as_text: bool = False, **more: Any) -> ToolCall:
    given_ones = {key: value for key, value in {"city": city, "days": days, **more}.items() if value is not None}
    return ToolCall(name, given_ones, as_text)


def turn(expected: list[ToolCall], predicted: list[ToolCall], failures: int = 0, **more: Any) -> ToolRecord:
    offered = {"weather": SCHEMA, "time": None}
    return ToolRecord("row", 1, tuple(expected), tuple(predicted), failures, **{"offered": offered, **more})


def values(*turns: ToolRecord) -> dict[str, float | None]:
    return {name: figure(metric, turns).value for name, metric in METRICS.items()}


def test_one_call() -> None:
    found = values(turn([call("Rome", 2)], [call("rome", 3)]))
    assert (found["calls_exact"], found["calls_exact_greedy"], found["call_recall"]) == (0, 0, 0)
    assert (found["parameter_precision"], found["parameter_recall"], found["parameter_f1"]) == (1 / 2, 1 / 2, 1 / 2)
    assert (found["schema_valid"], found["parse_rate"]) == (1, 1)
    assert values(turn([call("Rome", 2)], [call("rome", 2)]))["calls_exact"] == 1


def test_several_turns() -> None:
    found = values(
        turn([call("Rome", 2)], [call("Rome", 2), call("Oslo")]),  # one call and one parameter too many
        turn([call("Rome"), call("Oslo", 1)], [call("Oslo", 1), call("Rome")]),
        turn([call("Rome")], [], failures=1),
        turn([call(name="time")], [call(name="time")]),  # a call without parameters
        turn([], [call(days="x")]),  # not asked for: counts for schema and parsing alone
    )
    assert found["calls_exact"] == 2 / 4
    assert found["call_recall"] == 4 / 5
    assert found["parameter_precision"] == 5 / 6
    assert found["parameter_recall"] == 5 / 6
    assert found["parameter_f1"] == 10 / 12
    assert found["schema_valid"] == 4 / 5
    assert found["parse_rate"] == 4 / 5


def test_unreadable_places_make_a_turn_wrong() -> None:
    assert values(turn([call("Rome")], [call("Rome")], failures=1))["calls_exact"] == 0


def test_calls_may_come_in_any_order_but_each_for_one() -> None:
    twice = turn([call("Rome"), call("Rome")], [call("Rome"), call("Oslo")])
    assert values(twice)["calls_exact"] == 0
    assert values(twice)["call_recall"] == 1 / 2
    assert values(twice)["parameter_precision"] == 1 / 2


def test_the_published_greedy_pairing_misses_what_can_be_paired() -> None:
    accepted = ({"city": ["Rome", "Oslo"]}, {"city": ["Rome"]})
    one = turn([call("Oslo"), call("Rome")], [call("Rome"), call("Oslo")], accepted=accepted)
    found = values(one)
    assert (found["calls_exact"], found["calls_exact_greedy"]) == (1, 0)


def test_parameters_that_may_be_left_out() -> None:
    accepted = ({"city": ["Rome"], "days": [1, ""]},)
    for predicted, right, given_ones, expected in (
        (call("Rome"), 1, 1, 1),
        (call("Rome", 1), 2, 2, 2),
        (call("Rome", 2), 1, 2, 1),
    ):
        found = values(turn([call("Rome", 1)], [predicted], accepted=accepted))
        assert found["parameter_precision"] == right / given_ones
        assert found["parameter_recall"] == right / expected
        assert found["calls_exact"] == (predicted.arguments.get("days") != 2)


def test_parameters_of_another_tool_are_others() -> None:
    found = values(turn([call("Rome")], [call("Rome", name="time")]))
    assert (found["parameter_precision"], found["parameter_recall"], found["parameter_f1"]) == (0, 0, 0)


def test_there_may_be_no_parameters() -> None:
    found = figure(METRICS["parameter_precision"], [turn([call("Rome")], [])])
    assert (found.value, found.why_none) == (None, "no parameter is given in a turn with a call")
    found = figure(METRICS["parameter_recall"], [turn([call(name="time")], [])])
    assert found.why_none == "no turn with a call is judged that has parameters"


def test_arguments_written_as_text_mean_what_the_schema_makes_of_them() -> None:
    expected = call("5", 5, wind=1.5)
    assert values(turn([expected], [call("5", "5", wind="1.5", as_text=True)]))["calls_exact"] == 1
    assert values(turn([expected], [call("5", "5", wind="1.5")]))["calls_exact"] == 0  # JSON says that it is text
    assert values(turn([expected], [call("5", "5.0", wind="1.5", as_text=True)]))["calls_exact"] == 0
    free = turn([call("5", [1, "a"])], [call("5", '[1, "a"]', as_text=True)], offered={})
    assert values(free)["calls_exact"] == 1


def test_a_model_that_repeats_the_row_is_right_whatever_the_schema_says() -> None:
    broken = {"type": "object", "properties": {"city": {"type": "integer"}}, "required": ["days", "no"]}
    for arguments in ({"city": "Rome"}, {"a": {"b": [{"c": None}]}}, {"city": [{"x": 1}, {"x": True}]}, {}):
        one = ToolCall("weather", arguments)
        found = values(ToolRecord("row", 1, (one,), (one,), offered={"weather": broken}))
        assert found["calls_exact"] == found["calls_exact_greedy"] == found["call_recall"] == 1
        assert found["parameter_f1"] in (1, None)


matrices = st.integers(0, 5).flatmap(
    lambda rows: st.integers(0, 5).flatmap(
        lambda columns: st.lists(
            st.lists(st.booleans(), min_size=columns, max_size=columns), min_size=rows, max_size=rows
        )
    )
)


@given(matrices)
def test_as_many_are_paired_as_can_be(fits: list[list[bool]]) -> None:
    columns = len(fits[0]) if fits else 0
    places = [*range(columns), *[-1] * len(fits)]
    most = max(
        sum(column >= 0 and fits[row][column] for row, column in enumerate(chosen))
        for chosen in itertools.permutations(places, len(fits))
    )
    for pairing in (most_pairs, greedy_pairs):
        found = pairing(fits)
        taken = [column for column in found if column is not None]
        assert len(taken) == len(set(taken))
        assert all(fits[row][column] for row, column in enumerate(found) if column is not None)
        assert len(taken) <= most
    assert sum(column is not None for column in most_pairs(fits)) == most


@pytest.mark.parametrize("name", ["calls_exact", "parameter_f1", "schema_valid", "parse_rate"])
def test_metrics_of_arguments_are_over_what_they_say(name: str) -> None:
    assert METRICS[name].group == "arguments"
