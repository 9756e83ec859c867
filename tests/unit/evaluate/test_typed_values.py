"""Values without quotes are what the schema says, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.evaluate import Parsed, ToolCall
from sage_select.evaluate.typed_values import same_value, typed, typed_value, types_of

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=6,
)
KINDS = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


@given(VALUES)
def test_a_value_is_read_back_by_its_type(value: Any) -> None:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    assert same_value(typed_value(text, {KINDS[type(value)]}), value)


@given(st.text())
def test_a_text_stays_one_whatever_it_looks_like(text: str) -> None:
    assert typed_value(text, {"string"}) == text


@pytest.mark.parametrize(
    ("text", "types", "value"),
    [
        ("True", {"boolean"}, True),
        ("None", {"null", "string"}, None),
        ("2", {"number"}, 2),
        ("2.0", {"integer"}, 2.0),
        ("2.5", {"integer"}, "2.5"),
        ("0012", (), "0012"),
        ("0012", {"integer"}, "0012"),
        ("NaN", {"number"}, "NaN"),
        ("1e400", {"integer"}, "1e400"),
        ('"x"', (), '"x"'),
        ("[1, {", {"array"}, "[1, {"),
        ("[" * 100_000, (), "[" * 100_000),
        ("9" * 6000, {"integer"}, "9" * 6000),
        ("", {"integer"}, ""),
        (" 2 ", {"integer"}, 2),
    ],
)
def test_cases(text: str, types: Any, value: Any) -> None:
    assert same_value(typed_value(text, types), value)


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        ({"type": "integer"}, {"integer"}),
        ({"type": ["string", "null"]}, {"string", "null"}),
        ({"anyOf": [{"type": "integer"}, {"oneOf": [{"type": "null"}]}]}, {"integer", "null"}),
        ({"type": "INTEGER", "nullable": True}, {"integer", "null"}),
        ({"enum": ["a", 1]}, {"string", "integer", "number"}),
        ({"const": True}, {"boolean"}),
        ({"$ref": "#/$defs/day"}, {"integer"}),
        ({"$ref": "#/$defs/loop"}, set()),
        ({}, set()),
        (None, set()),
    ],
)
def test_types_of_a_schema(schema: Any, types: set[str]) -> None:
    whole = {"$defs": {"day": {"type": "integer"}, "loop": {"$ref": "#/$defs/loop"}}}
    assert types_of(schema, whole) == types


def test_only_calls_that_are_written_without_quotes_are_typed() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"n": {"type": "integer"}}}}}]
    plain, bare = ToolCall("f", {"n": "2"}), ToolCall("f", {"n": "2"}, as_text=True)
    found = typed(Parsed((plain, bare, ToolCall("g", {"n": "2"}, as_text=True))), tools)
    assert [call.arguments for call in found.calls] == [{"n": "2"}, {"n": 2}, {"n": 2}]
    assert not any(call.as_text for call in found.calls)
