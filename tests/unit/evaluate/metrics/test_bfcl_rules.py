"""The published rules for calls, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from sage_select.evaluate import ToolCall
from sage_select.evaluate.metrics import OMITTED, call_matches, value_matches

SCHEMA: dict[str, Any] = {
    "type": "dict",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "wind": {"type": "float"},
        "rain": {"type": "boolean"},
    },
    "required": ["city"],
}


@pytest.mark.parametrize(
    ("kind", "value", "answers", "right"),
    [
        # types are exact
        ("integer", 5, [5], True),
        ("integer", 5.0, [5], False),
        ("integer", "5", [5], False),
        ("integer", True, [1], False),
        ("float", 5, [5.0], True),
        ("float", 5, [5], True),
        ("number", 5.0, [5], True),
        ("float", True, [1.0], False),
        ("boolean", True, [True], True),
        ("boolean", 1, [True], False),
        ("boolean", "true", [True], False),
        ("string", 5, ["5"], False),
        ("string", None, ["x"], False),
        # one of several answers
        ("integer", 7, [5, 7], True),
        ("integer", 6, [5, 7], False),
        ("integer", 5, [], False),
        # strings
        ("string", "new york, ny.", ["New York NY"], True),
        ("string", "it's", ['it"s'], True),
        ("string", "A-b_c*d^e/f", ["abcdef"], True),
        ("string", "abc", ["ab"], False),
        ("string", "a\tb", ["ab"], False),
        ("string", "\u00c9TE", ["\u00e9te"], True),
        ("string", "ete", ["\u00e9te"], False),
        ("string", "x:y", ["xy"], False),
        # a variable, as BFCL calls it: an answer of another type than the schema's
        ("integer", "n", ["n"], True),
        ("integer", 5, ["n"], False),
        # whatever the schema does not say
        (None, 5, [5], True),
        (None, 5.0, [5], False),
        (None, 5, [5.0], True),
        (None, "A b", ["ab"], True),
        (None, None, [None], True),
        ("any", {"a": 1}, [{"a": [1]}], True),
    ],
)
def test_values(kind: str | None, value: Any, answers: list[Any], right: bool) -> None:
    schema = {} if kind is None else {"type": kind}
    assert value_matches(value, answers, schema, {}) is right


@pytest.mark.parametrize(
    ("items", "value", "answers", "right"),
    [
        ({"type": "integer"}, [1, 2], [[1, 2]], True),
        ({"type": "integer"}, [2, 1], [[1, 2]], False),
        ({"type": "integer"}, [1], [[1, 2]], False),
        ({"type": "integer"}, [1, 2, 3], [[1, 2]], False),
        ({"type": "integer"}, [1], [[1, 2], [1]], True),
        ({"type": "integer"}, [1.0], [[1]], False),
        ({"type": "integer"}, [True], [[1]], False),
        ({"type": "integer"}, [], [[]], True),
        ({"type": "string"}, ["A b", "c"], [["ab", "C."]], True),
        ({"type": "string"}, ["c", "ab"], [["ab", "c"]], False),
        ({"type": "float"}, [1, 2.0], [[1.0, 2.0]], False),  # the published exception for numbers is not for lists
        ({"type": "float"}, [1, 2], [[1, 2]], True),
        ({"type": "dict"}, [{"k": "A"}, {"k": "b"}], [[{"k": ["a"]}, {"k": ["b", "c"]}]], True),
        ({"type": "dict"}, [{"k": "b"}, {"k": "a"}], [[{"k": ["a"]}, {"k": ["b", "c"]}]], False),
        ({"type": "array", "items": {"type": "integer"}}, [[1], [2]], [[[1], [2]]], True),
        (None, ["a"], [["a"]], True),
        (None, "a", [["a"]], False),
    ],
)
def test_lists(items: dict[str, Any] | None, value: Any, answers: list[Any], right: bool) -> None:
    schema: dict[str, Any] = {"type": "array"} | ({} if items is None else {"items": items})
    assert value_matches(value, answers, schema, {}) is right


@pytest.mark.parametrize(
    ("value", "answers", "right"),
    [
        ({"a": 1, "b": "X"}, [{"a": [1, 2], "b": ["x"]}], True),
        ({"a": 3, "b": "X"}, [{"a": [1, 2], "b": ["x"]}], False),
        ({"a": 1}, [{"a": [1], "b": ["x"]}], False),
        ({"a": 1}, [{"a": [1], "b": ["x", ""]}], True),
        ({"a": 1, "c": 2}, [{"a": [1]}], False),
        ({"a": {"deep": "X"}}, [{"a": [{"deep": "x"}]}], False),  # one level deep
        ({"a": {"deep": "x"}}, [{"a": [{"deep": "x"}]}], True),
        ({"a": True}, [{"a": [1]}], False),
        ({"a": 2}, [{"a": [1]}, {"a": [2]}], True),
        ({}, [{}], True),
        ("a", [{"a": [1]}], False),
    ],
)
def test_dictionaries(value: Any, answers: list[Any], right: bool) -> None:
    assert value_matches(value, answers, {"type": "dict"}, {}) is right


@pytest.mark.parametrize(
    ("arguments", "accepted", "right"),
    [
        ({"city": "rome"}, {"city": ["Rome"]}, True),
        ({}, {"city": ["Rome", OMITTED]}, False),  # what the schema requires has to be there
        ({"city": "Rome"}, {"city": ["Rome"], "days": [1]}, False),
        ({"city": "Rome"}, {"city": ["Rome"], "days": [1, OMITTED]}, True),
        ({"city": "Rome", "days": 2}, {"city": ["Rome"], "days": [1, OMITTED]}, False),
        ({"city": "Rome", "days": 1}, {"city": ["Rome"]}, False),  # no answer names it
        ({"city": "Rome", "sun": 1}, {"city": ["Rome"], "sun": [1]}, False),  # the schema does not name it
        ({"city": "Rome", "rain": 1}, {"city": ["Rome"], "rain": [True]}, False),
        ({"city": "Rome", "wind": 3}, {"city": ["Rome"], "wind": [3.0]}, True),
    ],
)
def test_calls(arguments: dict[str, Any], accepted: dict[str, Any], right: bool) -> None:
    expected = ToolCall("weather", {"city": "Rome", "other": "the row's own call is another"})
    assert call_matches(ToolCall("weather", arguments), expected, accepted, SCHEMA) is right
    assert not call_matches(ToolCall("Weather", arguments), expected, accepted, SCHEMA)


def test_without_a_schema_the_answers_decide() -> None:
    expected = ToolCall("weather", {"x": "y"})
    assert call_matches(
        ToolCall("weather", {"city": "rome", "days": 1}), expected, {"city": ["Rome"], "days": [1]}, None
    )
    assert not call_matches(ToolCall("weather", {"city": "rome", "days": 1.0}), expected, {"days": [1]}, None)


@pytest.mark.parametrize(
    ("schema", "text", "answers", "right"),
    [
        ({"type": "integer"}, "5", [5], True),
        ({"type": "integer"}, "five", [5], False),
        ({"type": "string"}, "5", ["5"], True),
        ({"type": "string"}, "5", [5], True),  # the row breaks its schema, and the style cannot tell
        ({"type": "boolean"}, "True", [True], True),
        ({"type": "boolean"}, "false", [False], True),
        ({"type": ["string", "null"]}, "None", [None], True),
        ({"type": ["string", "null"]}, "none of these", ["None of these"], True),
        ({"type": "array", "items": {"type": "string"}}, '["A", "b"]', [["a", "B"]], True),
        ({"type": "array", "items": {"type": "string"}}, "['A', 'b']", [["a", "B"]], True),
        ({"type": "object"}, '{"k": 1}', [{"k": [1]}], True),
        ({}, "5", [5], True),
        ({}, "5", ["5"], True),
        ({}, "[" * 100_000, [5], False),
    ],
)
def test_text_without_quotes(schema: dict[str, Any], text: str, answers: list[Any], right: bool) -> None:
    assert value_matches(text, answers, schema, {}, as_text=True) is right


def test_values_within_values_end_in_an_answer() -> None:
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    call = ToolCall("weather", {"city": deep})
    for schema in (None, SCHEMA):
        assert call_matches(call, call, {"city": [deep]}, schema) in (True, False)
        assert call_matches(call, ToolCall("weather", {"city": [deep]}), {"city": [deep]}, schema) in (True, False)
