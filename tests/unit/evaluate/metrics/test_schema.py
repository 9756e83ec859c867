"""Whether arguments fit a schema: rule by rule, without following anything out of it or running away."""

from __future__ import annotations

from typing import Any

import pytest

from sage_select.evaluate.metrics import fits
from sage_select.evaluate.metrics.schema import identical, kinds_of, readings, same


def of(rule: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": rule}, **more}


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        ({"type": "string"}, ["", "a"], [1, None, ["a"]]),
        ({"type": "integer"}, [1, -2, 2.0], [1.5, True, "1"]),
        ({"type": "number"}, [1, 1.5], [True, "1"]),
        ({"type": "float"}, [1, 1.5], [False]),
        ({"type": "boolean"}, [True], [1, "true"]),
        ({"type": "null"}, [None], [0, ""]),
        ({"type": ["string", "null"]}, ["a", None], [1]),
        ({"type": "any"}, [1, "a", None, {}], []),
        ({"enum": ["a", 1]}, ["a", 1, 1.0], ["b", True]),
        ({"const": {"a": [1]}}, [{"a": [1]}], [{"a": [2]}, {"a": [True]}]),
        ({"type": "array", "items": {"type": "integer"}}, [[], [1, 2]], [[1, "a"], "a"]),
        ({"type": "array", "prefixItems": [{"type": "string"}], "items": False}, [["a"], []], [["a", "b"], [1]]),
        ({"type": "array", "minItems": 1, "maxItems": 2}, [[1], [1, 2]], [[], [1, 2, 3]]),
        ({"type": "string", "minLength": 1, "maxLength": 2}, ["a", "\u00e9\u00e9"], ["", "abc"]),
        ({"minimum": 0, "exclusiveMaximum": 2}, [0, 1.9], [-1, 2]),
        ({"exclusiveMinimum": 0, "maximum": 2}, [2], [0, 2.1]),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, ["a", 1], [1.5, None]),
        ({"oneOf": [{"minimum": 0}, {"maximum": 5}]}, [-1, 6], [3]),
        ({"allOf": [{"minimum": 0}, {"maximum": 5}]}, [3], [-1, 6]),
        (
            {"type": "object", "properties": {"y": {"type": "integer"}}, "required": ["y"]},
            [{"y": 1}, {"y": 1, "z": 2}],
            [{}, {"y": "a"}],
        ),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, [{"z": 1}], [{"z": "a"}]),
        ({"type": "object", "additionalProperties": False}, [{}], [{"z": 1}]),
        ({}, [1, None, "a"], []),
        (True, [1], []),
        (False, [], [1]),
        ({"type": 7, "minimum": "low", "required": "x", "enum": "x", "anyOf": {}}, [1, "a"], []),  # no schema at all
    ],
)
def test_rules(rule: Any, right: list[Any], wrong: list[Any]) -> None:
    assert [fits({"x": value}, of(rule)) for value in right] == [True] * len(right)
    assert [fits({"x": value}, of(rule)) for value in wrong] == [False] * len(wrong)


def test_parameters() -> None:
    schema = of({"type": "string"}, required=["x"])
    assert fits({"x": "a"}, schema)
    assert not fits({}, schema)
    assert not fits({"x": "a", "y": 1}, schema)
    assert fits({"x": "a", "y": 1}, {**schema, "additionalProperties": True})
    assert not fits({"x": "a", "y": 1}, {**schema, "additionalProperties": {"type": "string"}})
    assert fits({"y": 1}, {"type": "object"})
    assert fits({"y": 1}, {})


def test_references_within_the_schema_are_followed_and_no_others() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/a~1b"}, "value": {"type": "integer"}}}
    schema = of({"$ref": "#/$defs/a~1b"}, **{"$defs": {"a/b": node}})
    assert fits({"x": {"next": {"value": 1}}}, schema)
    assert not fits({"x": {"next": {"next": {"value": "a"}}}}, schema)
    assert fits({"x": 1}, of({"$ref": "https://example.com/schema.json"}))
    assert fits({"x": 1}, of({"$ref": "#/nowhere"}))
    assert fits({"x": 1}, of({"$ref": "#/properties/x"}))  # a circle says nothing


@pytest.mark.parametrize("word", ["allOf", "anyOf", "oneOf"])
def test_what_would_run_away_does_not_fit(word: str) -> None:
    wild: dict[str, Any] = {word: [{"$ref": "#/properties/x"}, {"$ref": "#/properties/x"}]}
    assert not fits({"x": 1}, of(wild))
    assert not fits({"x": "1"}, of(wild), as_text=True)


def test_what_is_deep_does_not_fit() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    nested = of({"$ref": "#/$defs/list"}, **{"$defs": {"list": {"items": {"$ref": "#/$defs/list"}}}})
    assert not fits({"x": deep}, nested)
    assert fits({"x": [[[1]]]}, nested)


def test_text_is_read_by_the_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "s": {"type": "string"}, "e": {"enum": [1, 2]}},
    }
    assert fits({"n": "5", "s": "5", "e": "2"}, schema, as_text=True)
    assert not fits({"n": "5"}, schema)
    assert not fits({"n": "five"}, schema, as_text=True)
    assert not fits({"e": "3"}, schema, as_text=True)


def test_readings() -> None:
    assert readings("[1]", frozenset({"array"})) == [[1]]
    assert readings("{'a': None}", frozenset({"object"})) == [{"a": None}]
    assert readings("1.0", frozenset({"integer"})) == ["1.0"]
    assert readings("2", frozenset({"number"})) == [2]
    assert readings(" null ", frozenset({"null"})) == [None]
    assert readings(5, frozenset({"string"})) == [5]
    assert readings("__import__('os')", frozenset()) == ["__import__('os')"]


def test_equality() -> None:
    assert same(1, 1.0)
    assert not identical(1, 1.0)
    assert not same(1, True)
    assert not same([True], [1])
    assert same({"a": [1]}, {"a": (1,)})
    assert not identical({"a": 1}, {"a": 1, "b": 2})
    assert kinds_of({"anyOf": [{"type": "string"}, {}]}, {}) == frozenset()
