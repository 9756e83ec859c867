"""The keys of steps: each is told as it is checked, in the JSON schema and in words."""

from __future__ import annotations

from typing import Any

import pytest

from sage_select.pipeline import STAGES
from sage_select.pipeline.spec import load_spec
from sage_select.pipeline.spec.keys import Key, keys_of
from sage_select.pipeline.spec.schema import json_schema

KEYS = [(name, key) for name, stage in STAGES.items() for key in keys_of(stage)]
IDS = [f"{name}-{key.name}" for name, key in KEYS]
#: What stands for a value of a key that has no default.
EXAMPLES = {"boolean": True, "string": "a", "integer": 3, "number": 0.5, "array": ["a"]}
#: What keys of the source need or take that their declaration does not tell.
BESIDE: dict[str, dict[str, Any]] = {
    "max_bad": {"on_bad_row": "drop"},
    "short": {"size": "50%"},
    # The words alone have no other end.
    "higher_is_harder": {"column": "a"},
}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Check a plain value by the few words of JSON Schema that the schema of specs uses."""
    bounds = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    assert schema.keys() <= {"anyOf", "type", "enum", "items", "description", "default"} | bounds, schema
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "null": type(None)}
    names = schema.get("type", list(kinds))
    return (
        any(isinstance(value, kinds[name]) for name in ([names] if isinstance(names, str) else names))  # type: ignore[arg-type]
        and value in schema.get("enum", [value])
        and (
            not isinstance(value, int | float) or schema.get("minimum", value) <= value <= schema.get("maximum", value)
        )
        and (not isinstance(value, int | float) or value > schema.get("exclusiveMinimum", value - 1))
        and (not isinstance(value, int | float) or value < schema.get("exclusiveMaximum", value + 1))
    )


def example(key: Key) -> Any:
    if key.value is not None or key.example is not None:
        return key.example if key.value is None else key.value
    kind = key.schema.get("anyOf", [key.schema])[0]
    if "enum" in kind:
        return kind["enum"][0]
    names = kind["type"]
    return EXAMPLES[names if isinstance(names, str) else names[0]]


def settings_with(stage: str, key: Key) -> dict[str, Any]:
    """Return settings of a step in which a key counts."""
    keys = {one.name: one for one in keys_of(STAGES[stage])}
    found = {key.name: example(key)}
    for other, values in key.when.items():
        found |= settings_with(stage, keys[other]) | {other: values if isinstance(values, str) else values[0]}
    if key.users:
        kind, _, member = key.users[-1].partition(" ")
        chosen = keys.get(kind) or next(one for one in keys.values() if member in one.members)
        found |= settings_with(stage, chosen) | {chosen.name: member}
        found |= {one.name: example(one) for one in keys.values() if one.needed and key.users[-1] in one.users}
    else:
        found |= {one.name: example(one) for one in keys.values() if one.needed and not one.users}
    return found


def test_there_are_keys() -> None:
    assert len(KEYS) > 40
    assert {name for name, _ in KEYS} == set(STAGES)
    for stage, kind in STAGES.items():
        assert [key.name for name, key in KEYS if name == stage].sort() == [*kind.options()].sort()


@pytest.mark.parametrize(("stage", "key"), KEYS, ids=IDS)
def test_each_key_is_accepted_where_it_counts(stage: str, key: Key) -> None:
    settings = BESIDE.get(key.name, {}) | settings_with(stage, key)
    others = [] if stage == "source" else [{"source": {"demo": True}}]
    if stage == "source":
        settings = {"demo": True} if key.name == "demo" else {"path": "a"} | settings
    load_spec({"version": 1, "steps": [*others, {stage: settings}]})
    for name, value in settings.items():
        schema = next(one.property() for kind, one in KEYS if kind == stage and one.name == name)
        assert fits(value, schema), (name, value, schema)


@pytest.mark.parametrize(("stage", "key"), KEYS, ids=IDS)
def test_each_key_is_told_in_words(stage: str, key: Key) -> None:
    assert key.help
    assert key.takes
    assert "None" not in key.takes + key.default
    assert key.needed <= (not key.default)
    assert key.value is None or key.default


def test_what_differs_with_its_users_has_no_default_in_the_schema() -> None:
    found = {key.name: key for key in keys_of(STAGES["select"])}
    assert found["score_mode"].value is None
    assert "hybrid" in found["score_mode"].default
    assert found["outlier_guard"].users == ("objective kcenter",)
    assert found["outlier_guard"].range == "0<=x<1"
    steps = json_schema()["properties"]["steps"]["items"]["oneOf"]
    select = next(step["properties"]["select"]["properties"] for step in steps if "select" in step["properties"])
    assert "default" not in select["score_mode"]
    assert select["objective"]["enum"][0] == "facility"
