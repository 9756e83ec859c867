"""Tool calls read out of generated text, by JSON decoding alone.

Understood are a JSON object, or a list of them, after one of the markers below or as the whole text (perhaps in a
code fence). An object is a call where it has a `name`, or a `function` object that has one; arguments are under
`arguments` or `parameters`, as an object or as its JSON text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Parsed", "ToolCall", "parse_tool_calls"]

#: What stands before a call: Hermes and Qwen, Glaive, Mistral, Llama 3.
_MARKER = re.compile(r"<tool_calls?>|<function_?calls?>|\[TOOL_CALLS\]|<\|python_tag\|>")
_FENCE = re.compile(r"\A```[a-z]*\n(.*?)(?:\n```|\Z)", re.DOTALL)
_GAP = re.compile(r"[\s,;]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class ToolCall:
    """One call: the tool's name and its arguments (an empty object where none are given)."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Parsed:
    """The calls in a text, in order, and how many places looked like a call and could not be read."""

    calls: tuple[ToolCall, ...] = ()
    failures: int = 0

    @property
    def names(self) -> frozenset[str]:
        """The set of tools called."""
        return frozenset(call.name for call in self.calls)


def parse_tool_calls(text: str) -> Parsed:
    r"""Return the tool calls in a generated assistant turn.

    Plain text holds none, and that is no failure. A marker that no readable call follows, and a text that begins
    like a JSON call and does not end like one, count as failures.

    Examples
    --------
    >>> parse_tool_calls('<tool_call>\n{"name": "search", "arguments": {"q": "x"}}\n</tool_call>').calls
    (ToolCall(name='search', arguments={'q': 'x'}),)
    >>> parse_tool_calls('[{"name": "a"}, {"name": "b"}]').names == {"a", "b"}
    True
    >>> parse_tool_calls("Which city do you mean?")
    Parsed(calls=(), failures=0)
    >>> parse_tool_calls('<tool_call>{"name": "sea')
    Parsed(calls=(), failures=1)
    """
    markers = list(_MARKER.finditer(text))
    if not markers:
        return _whole(text)
    calls: list[ToolCall] = []
    failures = 0
    for marker, following in zip(markers, [*markers[1:], None], strict=True):
        found = _values(text[marker.end() : following.start() if following else len(text)])
        calls.extend(found)
        failures += not found
    return Parsed(tuple(calls), failures)


def _whole(text: str) -> Parsed:
    text = text.strip()
    fenced = _FENCE.match(text)
    if fenced:
        text = fenced[1].strip()
    if not text.startswith(("{", "[")):
        return Parsed()
    calls = _values(text)
    # JSON that names nothing is an answer in JSON; a torn call is not.
    return Parsed(tuple(calls), int(not calls and re.match(r'[\[{\s]*"(name|function|tool_calls)"', text) is not None))


def _values(text: str) -> list[ToolCall]:
    """Read calls from JSON values one after the other, up to the first thing that is none."""
    calls: list[ToolCall] = []
    position = _skip(text, 0)
    while position < len(text):
        try:
            value, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            break
        found = _calls(value)
        if not found:
            break
        calls.extend(found)
        position = _skip(text, position)
    return calls


def _skip(text: str, position: int) -> int:
    match = _GAP.match(text, position)
    return match.end() if match else position


def _calls(value: Any) -> list[ToolCall]:
    if isinstance(value, list):
        return [call for part in value for call in _calls(part)]
    if not isinstance(value, dict):
        return []
    for key in ("tool_calls", "function"):
        if isinstance(value.get(key), list | dict):
            return _calls(value[key])
    name = value.get("name")
    if not isinstance(name, str) or not name:
        return []
    return [ToolCall(name, _arguments(value.get("arguments", value.get("parameters"))))]


def _arguments(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}
