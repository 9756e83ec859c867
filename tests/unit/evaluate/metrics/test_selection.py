"""Which tools are called: every metric on turns whose values are worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from sage_select.evaluate import Prediction, ToolCall
from sage_select.evaluate.metrics import ToolRecord, exactly, figure, joined_by_row, offered_in, tool_metrics

METRICS = {metric.name: metric for metric in tool_metrics()}
OFFERED: dict[str, Any] = dict.fromkeys("abcd")


def turn(
    expected: str, predicted: str, *, row: int = 0, message: int = 1, failures: int = 0, **more: Any
) -> ToolRecord:
    """Return a turn; each letter is a call of the tool of that name."""
    return ToolRecord(
        row_id=f"row {row}",
        message=message,
        expected=tuple(map(ToolCall, expected)),
        predicted=tuple(map(ToolCall, predicted)),
        failures=failures,
        **{"offered": OFFERED, **more},
    )


def value(name: str, *turns: ToolRecord) -> float | None:
    return figure(METRICS[name], turns).value


@pytest.mark.parametrize(
    ("expected", "predicted", "failures", "values"),
    [
        # accuracy, hit@1, hit@3, recall@1, recall@3, mrr, f1
        ("ab", "ba", 0, (1, 1, 1, 1 / 2, 1, 1, 1)),
        ("ab", "bbaa", 0, (1, 1, 1, 1 / 2, 1, 1, 1)),
        ("a", "xya", 0, (0, 0, 1, 0, 1, 1 / 3, 2 / 4)),
        ("a", "xxyyza", 0, (0, 0, 0, 0, 0, 1 / 4, 2 / 5)),
        ("abcd", "ax", 0, (0, 1, 1, 1 / 4, 1 / 4, 1, 2 / 6)),
        ("a", "", 0, (0, 0, 0, 0, 0, 0, 0)),
        ("a", "a", 1, (0, 1, 1, 1, 1, 1, 1)),
        ("aa", "a", 0, (1, 1, 1, 1, 1, 1, 1)),
        ("é", "e", 0, (0, 0, 0, 0, 0, 0, 0)),
    ],
)
def test_a_turn_with_a_call(expected: str, predicted: str, failures: int, values: tuple[float, ...]) -> None:
    names = (
        "tool_accuracy",
        "tool_hit_at_1",
        "tool_hit_at_3",
        "tool_recall_at_1",
        "tool_recall_at_3",
        "tool_mrr",
        "tool_f1",
    )
    one = turn(expected, predicted, failures=failures)
    assert [value(name, one) for name in names] == pytest.approx(values)
    assert value("false_calls", one) is None


def test_values_of_several_turns() -> None:
    turns = [
        turn("ab", "ab"),
        turn("a", "b"),
        turn("a", "", failures=1),
        turn("", "a"),
        turn("", ""),
        turn("", "", failures=1),
    ]
    assert value("tool_accuracy", *turns) == pytest.approx(1 / 3)
    assert value("tool_recall_at_1", *turns) == pytest.approx((1 / 2 + 0 + 0) / 3)
    assert value("tool_f1", *turns) == pytest.approx(2 * 2 / (4 + 2 + 1))  # micro: over all names of all turns
    assert value("false_calls", *turns) == pytest.approx(2 / 3)


def test_ranks_can_be_set() -> None:
    names = {metric.name for metric in tool_metrics(ranks=(2,))}
    assert {"tool_hit_at_2", "tool_recall_at_2"} <= names
    assert not {"tool_hit_at_1", "tool_recall_at_3"} & names


def test_tools_that_are_not_offered() -> None:
    turns = [turn("a", "a"), turn("a", "ax"), turn("a", "x"), turn("a", ""), turn("", "x")]
    assert value("hallucinated_tools", *turns) == pytest.approx(2 / 4)
    without = turn("a", "x", offered={})
    assert value("hallucinated_tools", *turns, without) == pytest.approx(2 / 4)
    found = figure(METRICS["hallucinated_tools"], [without])
    assert (found.value, found.why_none) == (None, "no turn with a call is judged whose row offers tools")


@pytest.mark.parametrize("name", METRICS)
def test_without_records_each_says_why_there_is_no_value(name: str) -> None:
    found = figure(METRICS[name], [])
    assert found.value is None
    assert found.why_none
    assert (found.rows, found.records, found.interval.bounds) == (0, 0, None)


@pytest.mark.parametrize("name", METRICS)
def test_definitions_are_sentences(name: str) -> None:
    metric = METRICS[name]
    assert metric.definition.endswith(".")
    assert metric.definition[0].isupper() or metric.definition[0].isdigit()
    assert metric.over
    assert metric.better in ("higher", "lower")
    assert [other.name for other in METRICS.values()].count(name) == 1
    assert set(metric.needs) | set(metric.counted) <= set(metric.parts)
    assert len(set(metric.parts)) == len(metric.parts)


@pytest.mark.parametrize("name", METRICS)
def test_the_order_of_records_changes_no_bit(name: str) -> None:
    turns = [turn("abc"[: i % 4], "abdx"[i % 3 : 4], row=i // 2, message=i, failures=i % 7 == 0) for i in range(61)]
    found = figure(METRICS[name], turns)
    assert found == figure(METRICS[name], turns[::-1])
    assert found == figure(METRICS[name], turns[::2] + turns[1::2])


def test_there_is_one_definition_of_a_right_turn() -> None:
    for expected, predicted, failures in (("a", "a", 0), ("ab", "ba", 0), ("a", "a", 1), ("", "", 0), ("a", "", 0)):
        one = turn(expected, predicted, failures=failures)
        names = tuple(sorted(set(expected))), tuple(sorted(set(predicted)))
        assert one.correct == Prediction("r", 1, *names, failures, False, "").correct == exactly(*names, failures)


def test_turns_of_a_row_together() -> None:
    turns = [turn("b", "", message=5, failures=1), turn("a", "a", message=1), turn("c", "c", row=1)]
    joined = joined_by_row(turns)
    assert [(one.row_id, one.message) for one in joined] == [("row 0", 1), ("row 1", 1)]
    assert [call.name for call in joined[0].expected] == ["a", "b"]
    assert [call.name for call in joined[0].predicted] == ["a"]
    assert joined[0].failures == 1
    assert joined[0].accepted is None
    named = turn("d", "", message=7, accepted=({"x": [1, 2]},))
    assert joined_by_row([*turns, named])[0].accepted == ({}, {}, {"x": [1, 2]})


def test_offered_tools_by_name() -> None:
    tools: list[dict[str, Any]] = [
        {"type": "function", "function": {"name": "a", "parameters": {"type": "object"}}},
        {"name": "b"},
        {"function": {"name": "c", "parameters": "no schema"}},
        {"type": "web_search"},
    ]
    assert offered_in(tools) == {"a": {"type": "object"}, "b": None, "c": None}
