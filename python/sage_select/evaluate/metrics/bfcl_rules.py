"""Whether a call is right, by the rules that the Berkeley Function Calling Leaderboard publishes (its AST checker).

A call is right where its tool and parameters are the expected ones and each value is among the possible answers: of
just the type that the schema names (a whole number will do for a number, never the reverse, and a boolean is neither),
strings without regard to case, spaces and ``,./-_*^`` and with ``"`` for ``'``, lists element by element in order,
dictionaries key by key, one level deep. Values inside of lists and dictionaries have to be equal otherwise.

Four things are beyond the published rules. A call whose values are those of the row's own call is right whatever its
schema says. True is not 1 inside of lists and dictionaries either. An empty list is not what may be left out. And what
a style wrote without quotes is read by the schema (`schema.readings`), where it does not say by the type of the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sage_select.evaluate.metrics.record import Accepted
from sage_select.evaluate.metrics.schema import Kind, identical, kind_of, kinds_of, readings, resolved, same
from sage_select.evaluate.tool_calls import ToolCall

__all__ = ["OMITTED", "call_matches", "value_matches"]

#: The possible answer by which a parameter may be left out.
OMITTED: Final = ""
_PASSED_OVER: Final = re.compile(r"[ ,./\-_*^]")


def call_matches(call: ToolCall, expected: ToolCall, accepted: Accepted, schema: Mapping[str, Any] | None) -> bool:
    """Return whether a call is right.

    Parameters
    ----------
    call, expected
        The call of the model and that of the row.
    accepted
        Parameter -> possible answers, with `""` among them where the parameter may be left out.
    schema
        JSON schema of the tool's parameters, None where there is none.
    """
    try:
        return call.name == expected.name and _is_right(call, expected, accepted, schema)
    except RecursionError:  # values within values without end
        return False


def _is_right(call: ToolCall, expected: ToolCall, accepted: Accepted, schema: Mapping[str, Any] | None) -> bool:
    if identical(call.arguments, expected.arguments):
        return True
    whole = resolved(schema, schema)
    properties, required = whole.get("properties"), whole.get("required")
    if isinstance(required, list) and any(name not in call.arguments for name in required):
        return False
    if any(name not in call.arguments and OMITTED not in answers for name, answers in accepted.items()):
        return False
    return all(
        name in accepted
        and (not isinstance(properties, Mapping) or not properties or name in properties)
        and value_matches(value, accepted[name], parameter(schema, name), schema, as_text=call.as_text)
        for name, value in call.arguments.items()
    )


def parameter(schema: Mapping[str, Any] | None, name: str) -> Any:
    """Return the schema of a parameter, None where there is none."""
    properties = resolved(schema, schema).get("properties")
    return properties.get(name) if isinstance(properties, Mapping) else None


def value_matches(value: Any, answers: Sequence[Any], schema: Any, root: Any, *, as_text: bool = False) -> bool:
    """Return whether a value is among the possible answers.

    Parameters
    ----------
    value
        The value.
    answers
        The possible answers; dictionaries among them have a list of possible answers for each key.
    schema, root
        JSON schema of the parameter, and the one that it is part of.
    as_text
        Whether the value is text where it may mean something else.
    """
    said = [kind_of(one) for one in answers if one != OMITTED]
    answered = frozenset(kind for kind in said if kind is not None)
    kinds = kinds_of(schema, root) or answered
    inner = kinds_of(resolved(schema, root).get("items"), root)
    # Rows may break their own schema: text means what an answer is as well.
    found = readings(value, kinds | answered) if as_text else [value]
    try:
        return any(_right(one, answers, kinds, inner, said[0] if said else None) for one in found)
    except RecursionError:
        return False


def _right(
    value: Any, answers: Sequence[Any], kinds: frozenset[Kind], inner: frozenset[Kind], said: Kind | None
) -> bool:
    """Return whether a value of the named kinds, or else of that of the first answer, is among the answers."""
    kind = kind_of(value)
    named = kind in kinds or (kind == "integer" and "number" in kinds)
    if named and kind == "array" and inner:
        named = any(
            not isinstance(answer, list | tuple) or all(_is_inner(one, answer, inner) for one in value)
            for answer in answers
        )
        if not named:
            return False
    if not named and kind != said:
        return False
    if kind == "string":
        return any(isinstance(answer, str) and _plain(value) == _plain(answer) for answer in answers)
    if kind == "object":
        return any(_same_keys(value, answer) for answer in answers)
    if kind == "array":
        return any(_same_items(value, answer) for answer in answers)
    return any(same(value, answer) for answer in answers)


def _is_inner(value: Any, answer: Sequence[Any], inner: frozenset[Kind]) -> bool:
    first = next((kind_of(one) for one in answer if one != OMITTED), None)
    return kind_of(value) in (*inner, first)


def _same_items(value: Sequence[Any], answer: Any) -> bool:
    if not isinstance(answer, list | tuple) or len(value) != len(answer):
        return False
    if answer and all(isinstance(one, dict) for one in (*value, *answer)):
        return all(map(_same_keys, value, answer))
    return all(same(_plain(one), _plain(other)) for one, other in zip(value, answer, strict=True))


def _same_keys(value: Mapping[str, Any], answer: Any) -> bool:
    if not isinstance(answer, dict) or not value.keys() <= answer.keys():
        return False
    return all(
        any(same(_plain(value[key]), _plain(one)) for one in _listed(answers)) if key in value else OMITTED in answers
        for key, answers in answer.items()
    )


def _plain(value: Any) -> Any:
    return _PASSED_OVER.sub("", value).lower().replace("'", '"') if isinstance(value, str) else value


def _listed(answers: Any) -> Sequence[Any]:
    return answers if isinstance(answers, list | tuple) else (answers,)
