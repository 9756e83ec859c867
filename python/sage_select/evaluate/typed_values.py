"""Values that are written without quotes, with the types that the schema of the tool gives them.

The rule, for all styles that write so (Qwen 3.5, GLM, Nemotron, `<invoke>`): where the schema of a parameter names
types, the text is the first of null, a boolean, a whole number, a number, a list and an object that is among them and
that it spells, and otherwise the text itself; where it names none, the text is what it spells as JSON, or Python's
`True`, `False` or `None`, and otherwise itself.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NoReturn

from sage_select.evaluate.tool_calls import Parsed, ToolCall

__all__ = ["same_value", "typed", "typed_value"]

_WORDS: Final = {"null": None, "None": None, "true": True, "True": True, "false": False, "False": False}
#: JSON type -> what Python holds it as; a whole number is a number as well.
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}
_DEEPEST: Final = 16


def typed(parsed: Parsed, tools: Sequence[Mapping[str, Any]]) -> Parsed:
    """Return calls whose unquoted arguments have the types that the tools' schemas give them.

    Parameters
    ----------
    parsed
        What was read.
    tools
        `{"type": "function", "function": {"name", "parameters": JSON schema}}` each.
    """
    if not any(call.as_text for call in parsed.calls):
        return parsed
    schemas = {tool["function"]["name"]: tool["function"].get("parameters") for tool in tools}
    return replace(parsed, calls=tuple(_typed(call, schemas.get(call.name)) for call in parsed.calls))


def _typed(call: ToolCall, schema: Any) -> ToolCall:
    if not call.as_text:
        return call
    properties = schema.get("properties") if isinstance(schema, dict) else None
    known = properties if isinstance(properties, dict) else {}
    values = {
        name: typed_value(value, types_of(known.get(name), schema)) if isinstance(value, str) else value
        for name, value in call.arguments.items()
    }
    return replace(call, arguments=values, as_text=False)


def types_of(schema: Any, whole: Any = None, depth: int = 0) -> frozenset[str]:
    """Return the JSON types that a schema allows; empty where it names none.

    `type` (one or several), `anyOf`, `oneOf`, `allOf`, `enum`, `const`, `nullable` and `$ref` within `whole` are read.
    """
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return frozenset()
    declared = schema.get("type")
    found = {one.lower() for one in (declared if isinstance(declared, list) else [declared]) if isinstance(one, str)}
    for name in ("anyOf", "oneOf", "allOf"):
        parts = schema.get(name)
        for part in parts if isinstance(parts, list) else ():
            found |= types_of(part, whole, depth + 1)
    target = _referred(schema.get("$ref"), whole)
    if target is not None:
        found |= types_of(target, whole, depth + 1)
    if not found:
        listed = schema.get("enum")
        values = [*(listed if isinstance(listed, list) else ()), *([schema["const"]] if "const" in schema else ())]
        found = {kind for value in values for kind in _kinds_of(value)}
    if schema.get("nullable") is True:
        found.add("null")
    return frozenset(found)


def typed_value(text: str, types: Collection[str]) -> Any:
    """Return what a text without quotes is.

    Examples
    --------
    >>> [typed_value("2", types) for types in ({"integer"}, {"string"}, {"string", "integer"}, ())]
    [2, '2', 2, 2]
    >>> typed_value("[1", {"array"})
    '[1'
    """
    bare = text.strip()
    if bare in _WORDS:
        value: Any = _WORDS[bare]
    else:
        try:
            value = json.loads(bare, parse_constant=_refused)
        except (ValueError, RecursionError):
            return text
    if isinstance(value, str):
        return text  # quotes are part of what stands there
    if not types:
        return value
    whole = isinstance(value, float) and value.is_integer() and "integer" in types
    return value if whole or any(kind in types for kind in _kinds_of(value)) else text


def same_value(one: Any, other: Any) -> bool:
    """Return whether two values of JSON are the same, of one type: 1 is neither `true` nor 1.0.

    Examples
    --------
    >>> same_value({"a": [1]}, {"a": [1]}), same_value(1, True), same_value(1, 1.0)
    (True, False, False)
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_value(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(same_value(*pair) for pair in zip(one, other, strict=True))
    return bool(one == other)


def _kinds_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return ["string"]
    if isinstance(value, bool):
        return ["boolean"]
    return [kind for kind, held in _KINDS.items() if isinstance(value, held) and kind != "boolean"]


def _referred(reference: Any, whole: Any) -> Any:
    """Return the part of a schema that a reference such as `#/$defs/city` names; None where there is none."""
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    part = whole
    for name in reference[2:].split("/"):
        part = part.get(name) if isinstance(part, dict) else None
    return part


def _refused(name: str) -> NoReturn:
    raise ValueError(name)
