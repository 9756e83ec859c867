"""What a JSON schema says of a value: its kinds, and whether the value fits. Nothing is fetched, nothing runs long."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

__all__ = ["KIND_NAMES", "Kind", "fits", "identical", "kind_of", "kinds_of", "readings", "resolved", "same"]

#: A type of JSON by the name that JSON schema has for it.
Kind: TypeAlias = str

#: What else types are called in schemas of tools, those of BFCL among them -> the name that JSON schema has for it.
KIND_NAMES: Final[dict[str, Kind]] = {
    name: kind
    for kind, names in {
        "string": "string str char text",
        "integer": "integer int long short byte bigint",
        "number": "number float double",
        "boolean": "boolean bool",
        "array": "array list tuple arraylist",
        "object": "object dict hashmap map",
        "null": "null none",
    }.items()
    for name in names.split()
}
#: Types of Python that the values of a kind have; a boolean is no number.
_TYPES: Final[dict[Kind, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (float, int),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
    "null": (type(None),),
}
_CONSTANTS: Final = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
#: Limits of a check: how often references are followed one after the other, how deep it goes, and its steps.
_REFERENCES: Final = 16
_DEEPEST: Final = 64
_MOST_STEPS: Final = 10_000


def kind_of(value: Any) -> Kind | None:
    """Return the kind of a value as JSON has it, None of what JSON has not."""
    return next((kind for kind, types in _TYPES.items() if type(value) in types), None)


def resolved(schema: Any, root: Any) -> Mapping[str, Any]:
    """Return a schema, or the one in `root` that it refers to; an empty one where there is none there."""
    for _ in range(_REFERENCES):
        if not isinstance(schema, Mapping) or not isinstance(schema.get("$ref"), str):
            break
        path = schema["$ref"]
        schema = root if path.startswith("#") else None
        for part in path[1:].strip("/").split("/"):
            if part:
                key = part.replace("~1", "/").replace("~0", "~")
                schema = schema.get(key) if isinstance(schema, Mapping) else None
    return schema if isinstance(schema, Mapping) and "$ref" not in schema else {}


def kinds_of(schema: Any, root: Any) -> frozenset[Kind]:
    """Return the kinds that a schema allows; none where it does not say.

    Examples
    --------
    >>> sorted(kinds_of({"anyOf": [{"type": "float"}, {"type": "null"}]}, {})), kinds_of({}, {})
    (['null', 'number'], frozenset())
    """
    kinds: set[Kind | None] = set()
    seen: set[int] = set()
    waiting = [schema]
    while waiting:
        found = resolved(waiting.pop(), root)
        if id(found) in seen:  # options that refer to each other say nothing new
            continue
        seen.add(id(found))
        given = found.get("type")
        names = [given] if isinstance(given, str) else given if isinstance(given, list) else []
        options = [one for word in ("anyOf", "oneOf") if isinstance(found.get(word), list) for one in found[word]]
        if names:
            kinds |= {KIND_NAMES.get(str(name).lower()) for name in names}
        elif options:
            waiting += options
        elif isinstance(found.get("enum"), list):
            kinds |= {kind_of(value) for value in found["enum"]}
        else:
            kinds.add(None)
    return frozenset() if None in kinds else frozenset(kind for kind in kinds if kind is not None)


def readings(text: Any, kinds: frozenset[Kind]) -> list[Any]:
    """Return what a value that was written without quotes may mean, given the kinds that it may have.

    Text where that may be a string; what it is as JSON, or else as a constant of Python, where that is of one of the
    other kinds. Text where nothing fits, and what is no text as it is.

    Examples
    --------
    >>> readings("5", frozenset({"integer"})), readings("5", frozenset({"string"})), readings("x", frozenset({"null"}))
    ([5], ['5'], ['x'])
    >>> readings("True", frozenset({"boolean", "string"})), readings("5", frozenset())
    (['True', True], ['5', 5])
    """
    if not isinstance(text, str):
        return [text]
    found: list[Any] = [text] if not kinds or "string" in kinds else []
    value = _parsed(text)
    if not isinstance(value, str) and any(type(value) in _TYPES[kind] for kind in kinds or _TYPES):
        found.append(value)
    return found or [text]


def fits(arguments: Mapping[str, Any], schema: Mapping[str, Any], *, as_text: bool = False) -> bool:
    """Return whether the arguments of a call fit the schema of the tool's parameters.

    Looked at are types, `enum`, `const`, `required`, `properties`, `additionalProperties`, `items`, `prefixItems`,
    `anyOf`, `oneOf`, `allOf`, the bounds of numbers, lengths and counts, and references within the schema. Parameters
    that the schema does not name are a fault unless it allows for them. Patterns, formats, conditions and references to
    other documents are not looked at. What would take more than 10,000 steps, or goes deeper than 64, does not fit.

    Parameters
    ----------
    arguments
        Parameter -> value.
    schema
        An object's JSON schema. Types may have the names that BFCL has for them.
    as_text
        Whether values are text where the schema says otherwise: each is then what it may be (`readings`).
    """
    check = _Check(schema)
    properties = resolved(schema, schema).get("properties")
    names = properties if isinstance(properties, Mapping) else {}
    closed = "additionalProperties" not in schema and bool(names)
    try:
        if closed and not arguments.keys() <= names.keys():
            return False
        if not as_text:
            return check.right(dict(arguments), {**schema, "type": "object"}, 0)
        read = {}
        for name, value in arguments.items():
            rule = names.get(name)
            right = (one for one in readings(value, kinds_of(rule, schema)) if check.right(one, rule, 1))
            read[name] = next(right, value)
        return check.right(read, {**schema, "type": "object"}, 0)
    except (_TooLongError, RecursionError):
        return False


class _TooLongError(Exception):
    """A check that would take too many steps."""


class _Check:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root
        self.steps = 0

    def right(self, value: Any, schema: Any, depth: int) -> bool:
        self.steps += 1
        if self.steps > _MOST_STEPS or depth > _DEEPEST:
            raise _TooLongError
        if schema is False:
            return False
        found = resolved(schema, self.root)
        return all(self._rules(value, found, depth + 1))

    def _rules(self, value: Any, schema: Mapping[str, Any], depth: int) -> Iterator[bool]:
        kinds = kinds_of(schema, self.root)
        whole = type(value) is float and value.is_integer() and "integer" in kinds  # 2.0 is an integer to JSON schema
        yield not kinds or whole or any(type(value) in _TYPES[kind] for kind in kinds)
        if isinstance(schema.get("enum"), list):
            yield any(same(value, one) for one in schema["enum"])
        if "const" in schema:
            yield same(value, schema["const"])
        for word, enough in (("anyOf", lambda n, _: n > 0), ("oneOf", lambda n, _: n == 1), ("allOf", int.__eq__)):
            options = schema.get(word)
            if isinstance(options, list) and options:
                yield enough(sum(self.right(value, option, depth) for option in options), len(options))
        if isinstance(value, str):
            yield _within(len(value), schema, "minLength", "maxLength")
        elif isinstance(value, list | tuple):
            yield _within(len(value), schema, "minItems", "maxItems")
            yield from self._items(value, schema, depth)
        elif isinstance(value, dict):
            yield _within(len(value), schema, "minProperties", "maxProperties")
            yield from self._properties(value, schema, depth)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield _within(value, schema, "minimum", "maximum")
            low, high = _number(schema.get("exclusiveMinimum")), _number(schema.get("exclusiveMaximum"))
            yield low is None or value > low
            yield high is None or value < high

    def _items(self, value: Any, schema: Mapping[str, Any], depth: int) -> Iterator[bool]:
        first = schema.get("prefixItems")
        first = first if isinstance(first, list) else []
        for place, one in enumerate(value):
            rule = first[place] if place < len(first) else schema.get("items", {})
            yield self.right(one, rule, depth)

    def _properties(self, value: Mapping[str, Any], schema: Mapping[str, Any], depth: int) -> Iterator[bool]:
        required = schema.get("required")
        yield all(name in value for name in (required if isinstance(required, list) else []))
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        for name, one in value.items():
            yield self.right(one, properties.get(name, schema.get("additionalProperties", {})), depth)


def same(one: Any, other: Any) -> bool:
    """Return whether two values of JSON are the same, where true is not 1, and 1.0 is 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def identical(one: Any, other: Any) -> bool:
    """Return whether two values of JSON are the same and of the same kinds: 1.0 is not 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(identical(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(identical, one, other))
    return type(one) is type(other) and bool(one == other)


def _parsed(text: str) -> Any:
    stripped = text.strip()
    if stripped in _CONSTANTS:
        return _CONSTANTS[stripped]
    for read in (json.loads, ast.literal_eval):
        try:
            return read(stripped)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return text


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _within(value: float, schema: Mapping[str, Any], low: str, high: str) -> bool:
    least, most = _number(schema.get(low)), _number(schema.get(high))
    return (least is None or value >= least) and (most is None or value <= most)
