"""Turns of a conversation in one form, whichever of the usual spellings they come in.

A normalised message has `role` (system, user, assistant or tool) and `content` (a string), and where they apply
`tool_calls`, `name`, `tool_call_id` and whatever else the row holds that a template may read. An assistant turn that
is not trained carries `weight: 0`; only assistant turns are ever trained, so the weight of any other says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sage_select.errors import DataError, Where
from sage_select.render.values import dump_json, in_column, try_json

__all__ = [
    "CALL_ROLES",
    "KEPT_KEYS",
    "READ_KEYS",
    "ROLES",
    "THOUGHTS",
    "normalise_messages",
    "normalise_tools",
    "text_of_parts",
    "thought_of",
]

Message = dict[str, Any]

#: Names of turns that are nothing but a call (sharegpt).
CALL_ROLES: Final = frozenset(("function_call", "tool_call"))
#: Every name of a speaker -> its role.
ROLES: Final = {
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "chatgpt", "bot"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "observation", "function", "function_response", "tool_response", "ipython"), "tool"),
    **dict.fromkeys(sorted(CALL_ROLES), "assistant"),
}
#: Members of a message that hold what the assistant thought before it spoke, in the spellings in use.
THOUGHTS: Final = ("reasoning_content", "reasoning", "thinking")
#: Members that the normal form replaces; all others are kept as they are.
READ_KEYS: Final = frozenset(
    ("role", "from", "content", "value", "tool_calls", "tool_call", "function_call", "weight", "loss_weight")
)
#: Members that an assistant turn without content may have; any other may be the words under a name of its own.
_BESIDE_NOTHING: Final = READ_KEYS.union(THOUGHTS, ("name",))
#: Members that chat templates commonly read.
KEPT_KEYS: Final = frozenset((*THOUGHTS, "name", "tool_call_id"))


def normalise_messages(value: Any, column: str, where: Where | None) -> list[Message]:
    """Return the turns in `value`, a list of messages or the JSON text of one.

    Raises
    ------
    DataError
        It is no list, or a message has an unknown role, no content, or content that is not text. The message
        counts from 0. An assistant turn that holds nothing at all is an empty answer.

    Examples
    --------
    >>> normalise_messages([{"from": "gpt", "value": "Hello"}], "conversations", None)
    [{'role': 'assistant', 'content': 'Hello'}]
    """
    place = in_column(where, column)
    if isinstance(value, str):
        value = try_json(value)
    if value is None:
        return []
    if not isinstance(value, list):
        raise DataError(
            "the conversation is not a list of messages",
            where=place,
            expected='[{"role": ..., "content": ...}, ...], as a list or as JSON text',
            got=_shown(value),
        )
    return [_message(message, index, place) for index, message in enumerate(value)]


def _message(raw: Any, index: int, where: Where) -> Message:
    if isinstance(raw, str):
        raw = try_json(raw)
    if not isinstance(raw, dict):
        raise DataError(
            f"message {index} is not an object", where=where, expected='{"role": ..., "content": ...}', got=_shown(raw)
        )
    spoken = raw.get("role", raw.get("from"))
    name = spoken.strip().lower() if isinstance(spoken, str) else ""
    role = ROLES.get(name)
    if role is None:
        raise DataError(
            f"message {index} has {'no role' if spoken is None else f'the unknown role {spoken!r}'}",
            where=where,
            expected=f"one of {', '.join(ROLES)}",
        )
    content = raw.get("content", raw.get("value"))
    calls = _calls(raw, index, where)
    if name in CALL_ROLES:
        spelled = _spelled_calls(content)
        if spelled is not None:
            content, calls = "", spelled
    message: Message = {
        "role": role,
        "content": _content(content, role, _may_be_silent(raw, role, calls), index, where),
    }
    if calls:
        message["tool_calls"] = calls
    message.update({key: member for key, member in raw.items() if key not in READ_KEYS and member is not None})
    if role == "assistant" and not _is_trained(raw, index, where):
        message["weight"] = 0
    return message


def _may_be_silent(raw: Message, role: str, calls: list[Message]) -> bool:
    """Return whether a message may do without content: it calls, or it is an empty answer."""
    others = (key for key, member in raw.items() if member is not None and key not in _BESIDE_NOTHING)
    return bool(calls) or (role == "assistant" and not any(others))


def _content(content: Any, role: str, may_be_silent: bool, index: int, where: Where) -> str:
    if isinstance(content, str):
        return content
    if content is None:
        if may_be_silent:
            return ""
        expected = "content, or tool_calls" if role == "assistant" else "content"
        raise DataError(f"message {index} ({role}) has no content", where=where, expected=expected)
    joined = text_of_parts(content)
    if joined is not None:
        return joined
    if role == "tool":
        return dump_json(content)  # a result that is an object or a list is read as the JSON it is
    part = next((part for part in content if _part_text(part) is None), None) if isinstance(content, list) else content
    raise DataError(
        f"message {index} ({role}) has content that is not text",
        where=where,
        expected='a string or a list of {"type": "text", "text": ...}',
        got=_shown(part),
    )


def text_of_parts(content: Any) -> str | None:
    """Return the text that a list of typed parts is in all, or None where it is no list or a part is no text.

    Examples
    --------
    >>> text_of_parts([{"type": "text", "text": "Hello"}, "!"])
    'Hello!'
    """
    if not isinstance(content, list):
        return None
    texts = [_part_text(part) for part in content]
    return None if None in texts else "".join(text for text in texts if text is not None)


def _part_text(part: Any) -> str | None:
    """Return the text of one typed content part, or None where it is no text."""
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and part.get("type", "text") in ("text", "input_text", "output_text"):
        for key in ("text", "value", "content"):
            if isinstance(part.get(key), str):
                return str(part[key])
    return None


def _calls(raw: Message, index: int, where: Where) -> list[Message]:
    calls = raw.get("tool_calls")
    if isinstance(calls, str):
        calls = try_json(calls)
    if calls is None or calls == "":
        legacy = next((raw[key] for key in ("tool_call", "function_call") if raw.get(key) is not None), None)
        legacy = try_json(legacy) if isinstance(legacy, str) else legacy
        calls = [] if legacy is None or legacy == "" else [legacy]
    if isinstance(calls, dict):
        calls = [calls]
    normalised = [_call(call) for call in calls] if isinstance(calls, list) else [None]
    if None in normalised:
        raise DataError(
            f"message {index} has a tool call that cannot be read",
            where=where,
            expected='{"type": "function", "function": {"name": ..., "arguments": ...}}',
            got=_shown(calls),
        )
    return [call for call in normalised if call is not None]


def _call(call: Any) -> Message | None:
    """Return one call in the normal form, or None where it has no name."""
    call = try_json(call) if isinstance(call, str) else call
    if not isinstance(call, dict):
        return None
    function = call.get("function", call)
    function = try_json(function) if isinstance(function, str) else function
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return None
    arguments = function.get("arguments", function.get("parameters"))
    if isinstance(arguments, str):
        arguments = try_json(arguments) if arguments.strip() else {}
    normalised: Message = {"id": call["id"]} if isinstance(call.get("id"), str) else {}
    normalised |= {
        "type": "function",
        "function": {"name": function["name"], "arguments": {} if arguments is None else arguments},
    }
    return normalised


def _spelled_calls(content: Any) -> list[Message] | None:
    """Return the calls that a sharegpt `function_call` turn spells, or None where it spells none.

    Such a turn then stays an assistant turn with that text, because that is what the model said.
    """
    value = try_json(content) if isinstance(content, str) else content
    calls = [_call(call) for call in (value if isinstance(value, list) else [value])]
    return None if not calls or None in calls else [call for call in calls if call is not None]


def _is_trained(raw: Message, index: int, where: Where) -> bool:
    weight = raw.get("weight", raw.get("loss_weight"))
    if weight is None or weight in (0, 1):
        return weight != 0
    raise DataError(
        f"message {index} has the weight {weight!r}", where=where, expected="0 (not trained) or 1 (trained)"
    )


def thought_of(message: Mapping[str, Any]) -> str:
    """Return what the assistant thought before it said a message, where that is a member of its own."""
    thoughts = (message.get(name) for name in THOUGHTS)
    return next((thought for thought in thoughts if isinstance(thought, str) and thought.strip()), "")


def normalise_tools(value: Any, column: str, where: Where | None) -> list[Message]:
    """Return the offered tools in the form `{"type": "function", "function": {"name": ...}}`.

    `value` is a list of tools, one tool, the JSON text of either, or nothing.

    Raises
    ------
    DataError
        It cannot be read as tools.

    Examples
    --------
    >>> normalise_tools('[{"name": "now"}]', "tools", None)
    [{'type': 'function', 'function': {'name': 'now'}}]
    """
    if isinstance(value, str):
        value = None if value.strip() in ("", "null") else try_json(value)
    if value is None:
        return []
    tools = [_tool(tool) for tool in (value if isinstance(value, list) else [value])]
    if None in tools:
        raise DataError(
            f"tool {tools.index(None)} cannot be read",
            where=in_column(where, column),
            expected='{"type": "function", "function": {"name": ..., "parameters": {...}}}',
            got=_shown(value),
        )
    return [tool for tool in tools if tool is not None]


def _tool(tool: Any) -> Message | None:
    tool = try_json(tool) if isinstance(tool, str) else tool
    if not isinstance(tool, dict):
        return None
    if isinstance(tool.get("function"), str):
        tool = {**tool, "function": try_json(tool["function"])}
    function = tool.get("function")
    if function is None:
        function = {key: member for key, member in tool.items() if key != "type"}
        tool = {"type": "function", "function": function}
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return None
    if isinstance(function.get("parameters"), str):
        tool = {**tool, "function": {**function, "parameters": try_json(function["parameters"])}}
    return {"type": "function", **tool}


def _shown(value: Any, limit: int = 120) -> str:
    """Return a short text of a refused value."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}..."
