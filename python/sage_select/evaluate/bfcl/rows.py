"""Cases as rows that models are trained and measured on, and rows as cases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sage_select.errors import DataError, Where
from sage_select.evaluate.bfcl.case import Case, category_of, is_answer, is_function
from sage_select.evaluate.metrics import Accepted, offered_in
from sage_select.evaluate.metrics.record import possible_answer
from sage_select.evaluate.metrics.schema import KIND_NAMES, kinds_of, resolved
from sage_select.render.messages import normalise_messages, normalise_tools

__all__ = ["COLUMN", "accepted_in", "case_of", "row_of"]

#: Column of a row that holds what messages and tools cannot, as JSON text: the possible answers, and the functions with
#: BFCL's names of types.
COLUMN: Final = "bfcl"
#: What a row says where no function should be called; BFCL has no words for it.
_NO_CALL: Final = "None of the functions can answer this."
#: A kind of JSON schema -> what BFCL calls it, where that differs.
_OF_BFCL: Final = {"object": "dict", "number": "float"}
#: How deep schemas are written, since one may refer to itself.
_DEEPEST: Final = 16


def row_of(case: Case) -> dict[str, Any]:
    """Return a case as a row: `id`, `messages` with the turn that is right at the end, `tools`, and `bfcl`.

    Of several possible answers the row has the first; all are kept in the column `bfcl`.

    Examples
    --------
    >>> case = Case("simple_0", ({"role": "user", "content": "5!"},), ({"name": "factorial", "parameters":
    ...     {"type": "dict", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},),
    ...     ({"factorial": {"n": [5]}},))
    >>> row_of(case)["messages"][1]["tool_calls"][0]["function"], case_of(row_of(case)) == case
    ({'name': 'factorial', 'arguments': '{"n": 5}'}, True)
    """
    calls = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)},
        }
        for number, call in enumerate(case.expected, start=1)
    ]
    answer: dict[str, Any] = {"role": "assistant", "content": "" if calls else _NO_CALL}
    if calls:
        answer["tool_calls"] = calls
    held = {"function": list(case.functions), "ground_truth": list(case.ground_truth)}
    return {
        "id": case.id,
        "messages": [*map(dict, case.messages), answer],
        "tools": [{"type": "function", "function": _with_json_types(one)} for one in case.functions],
        COLUMN: json.dumps(held),
    }


def case_of(row: Mapping[str, Any], where: Where | None = None) -> Case:
    """Return the last turn of a row as a case.

    The category follows from the calls and the tools, and stands at the beginning of the id where it does not yet. What
    the column `bfcl` holds is taken as it is; of another row each value is the only possible answer.

    Parameters
    ----------
    row
        `id`, `messages`, `tools`, and `bfcl` where the row was a case once.
    where
        The row's place, for errors.

    Raises
    ------
    DataError
        The row has no id, does not end with a turn of the assistant, offers no tools, calls one that it does not offer,
        or calls tools earlier, which a case of one turn cannot show.
    """
    name = row.get("id")
    if not isinstance(name, str):
        raise DataError("the row has no id", where=where, expected="text in the column 'id'", got=repr(name)[:120])
    messages = normalise_messages(row.get("messages"), "messages", where)
    if not messages or messages[-1]["role"] != "assistant":
        got = messages[-1]["role"] if messages else "no messages"
        raise DataError("no turn to judge", where=where, expected="a row that ends with an assistant's turn", got=got)
    earlier, last = messages[:-1], messages[-1]
    for number, message in enumerate(earlier):
        if message.get("tool_calls") or message["role"] == "tool":
            raise DataError(
                f"message {number} is a call, or the answer of a tool, before the turn to judge",
                where=where,
                expected="one turn that calls, as cases of BFCL with one turn have",
            )
    said = tuple({"role": message["role"], "content": message["content"]} for message in earlier)
    held = _held(row.get(COLUMN), where)
    if held is not None:
        return Case(name, said, tuple(held["function"]), tuple(held["ground_truth"]))
    tools = [dict(tool.get("function", tool)) for tool in normalise_tools(row.get("tools"), "tools", where)]
    offered = offered_in({"function": tool} for tool in tools)
    if not offered:
        raise DataError("the row offers no tools", where=where, expected="tools with names")
    truth = []
    for call in last.get("tool_calls", ()):
        function = call["function"]
        if function["name"] not in offered:
            raise DataError(
                "the row calls a tool that it does not offer",
                where=where,
                expected=f"one of {', '.join(offered)}"[:200],
                got=function["name"],
            )
        arguments = function.get("arguments")
        arguments = arguments if isinstance(arguments, Mapping) else {}
        truth.append({function["name"]: {name: [possible_answer(value)] for name, value in arguments.items()}})
    category = _category(len(truth), len(offered))
    name = name if category_of(name) == category else f"{category}_{name}"
    return Case(name, said, tuple(_with_bfcl_types(tool) for tool in tools), tuple(truth))


def accepted_in(value: Any, called: Sequence[str], where: Where | None = None) -> tuple[Accepted, ...] | None:
    """Return the possible answers that the column `bfcl` of a row holds for its last turn, None where it holds none.

    Parameters
    ----------
    value
        What the column holds.
    called
        Names of the tools that the last turn calls, in order.
    where
        The row's place, for errors.

    Raises
    ------
    DataError
        The column holds something else, or the answers to other calls.
    """
    held = _held(value, where)
    if held is None:
        return None
    names = [name for call in held["ground_truth"] for name in call]
    if names != list(called):
        raise DataError(
            f"the column {COLUMN!r} holds the answers to other calls",
            where=where,
            expected=f"answers to the calls of the row's last turn: {', '.join(called) or 'none'}",
            got=", ".join(names) or "none",
        )
    return tuple(answers for call in held["ground_truth"] for answers in call.values())


def _held(value: Any, where: Where | None) -> dict[str, Any] | None:
    if value is None:
        return None
    try:
        held = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        held = None
    if (
        not isinstance(held, dict)
        or not all(isinstance(held.get(key), list) for key in ("function", "ground_truth"))
        or not all(map(is_function, held["function"]))
        or not all(map(is_answer, held["ground_truth"]))
    ):
        raise DataError(
            f"the column {COLUMN!r} holds no case",
            where=where,
            expected='{"function": [...], "ground_truth": [...]} as JSON text',
            got=str(value)[:120],
        )
    return held


def _category(calls: int, tools: int) -> str:
    if not calls:
        return "irrelevance"
    return {(True, True): "parallel_multiple", (True, False): "parallel", (False, True): "multiple"}.get(
        (calls > 1, tools > 1), "simple"
    )


def _with_json_types(value: Any) -> Any:
    """Return a function with the names of types that JSON schema has; `any` is no type there."""
    if isinstance(value, list):
        return [_with_json_types(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    found = {key: one if key in ("enum", "default", "const") else _with_json_types(one) for key, one in value.items()}
    kind = found.get("type")
    if isinstance(kind, str):
        found["type"] = KIND_NAMES.get(kind.lower(), kind)
        if kind.lower() == "any":
            del found["type"]
    return found


def _with_bfcl_types(function: Mapping[str, Any]) -> dict[str, Any]:
    """Return a function with the names of types that BFCL has, and what its checker looks up of each schema."""
    schema = function.get("parameters")
    schema = schema if isinstance(schema, Mapping) else {}
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    return {
        "name": function["name"],
        "description": function.get("description") or "",
        "parameters": {
            "type": "dict",
            "properties": {name: _rule(one, schema) for name, one in properties.items()},
            "required": list(schema.get("required") or ()),
        },
    }


def _rule(rule: Any, root: Any, depth: int = 0) -> dict[str, Any]:
    kinds = kinds_of(rule, root) - {"null"}
    kind = min(kinds) if len(kinds) == 1 else "any"
    whole = resolved(rule, root)
    found = {key: whole[key] for key in ("description", "enum", "default", "required") if key in whole}
    found["type"] = _OF_BFCL.get(kind, kind)
    if depth < _DEEPEST:
        if kind == "array":
            found["items"] = _rule(whole.get("items"), root, depth + 1)
        if kind == "object" and isinstance(whole.get("properties"), Mapping):
            found["properties"] = {name: _rule(one, root, depth + 1) for name, one in whole["properties"].items()}
    return found
