"""Tool calls read out of an assistant turn, in the styles that chat templates write. Nothing that is read is ever run.

A style is a marker and what follows it. Understood are JSON objects with a `name` (Hermes, Qwen, Llama 3, Mistral,
Cohere, also as the whole text or in a code fence), tags for each argument (Qwen 3.5, Nemotron, GLM, `<invoke>`), the
name before JSON arguments (DeepSeek, gpt-oss, Kimi, newer Mistral, Gemma 4) and Python calls (LFM 2, Llama 4).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from sage_select.evaluate.python_calls import Calls, escaped_calls, unescaped_calls

__all__ = ["Parsed", "ToolCall", "parse_tool_calls", "thought_and_words"]


@dataclass(frozen=True)
class ToolCall:
    """One call.

    Attributes
    ----------
    name
        The tool's name.
    arguments
        What it is called with; an empty object where nothing is, or what stands there is no object.
    as_text
        Whether texts among the arguments are written without quotes, so that their type is not known by them:
        `typed_values.typed` finds it.
    torn
        Whether what stands in the place of the arguments cannot be read as an object.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    as_text: bool = field(default=False, compare=False, repr=False)
    torn: bool = field(default=False, compare=False, repr=False)


@dataclass(frozen=True)
class Parsed:
    """The calls in a text, in order, and how many places looked like a call and could not be read."""

    calls: tuple[ToolCall, ...] = ()
    failures: int = 0

    @property
    def names(self) -> frozenset[str]:
        """The set of tools called."""
        return frozenset(call.name for call in self.calls)


#: The calls that begin where a marker ends, and where they end themselves.
_Found: TypeAlias = tuple[list[ToolCall], int]
_Style: TypeAlias = Callable[[str, int], _Found | None]

_DECODER: Final = json.JSONDecoder()
_GAP: Final = re.compile(r"[\s,;]*")
_SPACE: Final = re.compile(r"\s*")
_FENCE: Final = re.compile(r"\A```[a-z]*\n(.*?)(?:\n```|\Z)", re.DOTALL)
_TORN: Final = re.compile(r'[\[{\s]*"(name|function|tool_calls)"')
_NAMED_JSON: Final = re.compile(r"\s*(?P<name>[\w.:-]+)\s*(?:\[CALL_ID\][^\[{]*)?(?:\[ARGS\])?\s*(?=\{)")
_GLM_NAME: Final = re.compile(r"\s*(?P<name>[^\s<{]+)\s*(?=<arg_key>|</tool_call>)")
_GLM_ARGUMENT: Final = re.compile(
    r"\s*<arg_key>(?P<key>.*?)</arg_key>\s*<arg_value>(?P<value>.*?)</arg_value>\s*(?=<arg_key>|</tool_call>)",
    re.DOTALL,
)
_FUNCTION_NAME: Final = re.compile(r"(?P<name>[^\n>]+)>")
_PARAMETER: Final = re.compile(
    r"\s*<parameter=(?P<key>[^\n>]+)>\n?(?P<value>.*?)\n?</parameter>\s*(?=<parameter=|</function>)", re.DOTALL
)
_INVOKED_NAME: Final = re.compile(r'(?P<name>[^"\n]+)">')
_INVOKED: Final = re.compile(
    r'\s*<(?:\w+:)?parameter name="(?P<key>[^"\n]+)"[^>\n]*>(?P<value>.*?)</(?:\w+:)?parameter>\s*'
    r"(?=<(?:\w+:)?parameter name=|</(?:\w+:)?invoke>)",
    re.DOTALL,
)
_INVOKE_END: Final = re.compile(r"\s*</(?:\w+:)?invoke>")
_DEEPSEEK_NAME: Final = re.compile(
    r"(?:function<\uff5ctool▁sep\uff5c>)?(?P<name>[^\n<\uff5c]+)(?:<\uff5ctool▁sep\uff5c>|\s*```json\s*)"
)
_HARMONY_NAME: Final = re.compile(r"(?P<name>[\w.-]+)[^{]*?<\|message\|>")
_KIMI_NAME: Final = re.compile(r"\s*(?:functions\.)?(?P<name>[\w.-]+?)(?::\d+)?\s*<\|tool_call_argument_begin\|>")
_GEMMA: Final = re.compile(
    r'(?P<name>[^\s{]+)(?P<arguments>\{(?:<\|"\|>.*?<\|"\|>|(?!<tool_call\|>).)*?\})\s*<tool_call\|>', re.DOTALL
)
_GEMMA_PART: Final = re.compile(r'<\|"\|>(.*?)<\|"\|>|([{,]\s*)([\w.-]+)(?=:)', re.DOTALL)
_PYTHON_END: Final = re.compile(r"<\|(?:tool_call|python)_end\|>|\Z")
_THOUGHT: Final = re.compile(r"\A\s*(?:<think>)?.*?</think>", re.DOTALL)


def parse_tool_calls(text: str, *, unescaped: bool = False) -> Parsed:
    r"""Return the tool calls in a generated assistant turn.

    Strings of Python calls are read as Python reads them, or as they stand where they are `unescaped`: the template
    of LFM 2.5 writes them so. Plain text holds none, and that is no failure. A marker that no readable call follows,
    and a text that begins like a JSON call and does not end like one, count as failures. What is thought first, up to
    `</think>`, is left out.

    Examples
    --------
    >>> parse_tool_calls('<tool_call>\n{"name": "search", "arguments": {"q": "x"}}\n</tool_call>').calls
    (ToolCall(name='search', arguments={'q': 'x'}),)
    >>> parse_tool_calls("<function=search>\n<parameter=q>\nx\n</parameter>\n</function>").calls
    (ToolCall(name='search', arguments={'q': 'x'}),)
    >>> parse_tool_calls("Which city do you mean?")
    Parsed(calls=(), failures=0)
    >>> parse_tool_calls('<tool_call>{"name": "sea')
    Parsed(calls=(), failures=1)
    """
    text = _after_thought(text)
    marker = _MARKER.search(text)
    if marker is None or text.lstrip().startswith(("{", "[{")):
        whole = _whole(text, unescaped=unescaped)
        if marker is None or whole.calls:
            return whole
    calls: list[ToolCall] = []
    failures = 0
    while marker is not None:
        style = str(marker.lastgroup)
        found = (_unescaped if unescaped and style == "python" else _STYLES[style])(text, marker.end())
        if found is None:
            failures += 1
        else:
            calls.extend(found[0])
        marker = _MARKER.search(text, marker.end() if found is None else found[1])
    return Parsed(tuple(calls), failures)


def thought_and_words(text: str) -> tuple[str, str]:
    """Return what a turn thinks first, and what it says in words then, up to the marker of its first call.

    Examples
    --------
    >>> thought_and_words('<think>Where?</think>Let me see.<tool_call>{"name": "search"}</tool_call>')
    ('Where?', 'Let me see.')
    >>> thought_and_words("Hello")
    ('', 'Hello')
    """
    spoken = _after_thought(text)
    thought = text[: len(text) - len(spoken)].strip().removeprefix("<think>").removesuffix("</think>")
    marker = _MARKER.search(spoken)
    return thought, spoken if marker is None else spoken[: marker.start()]


def _after_thought(text: str) -> str:
    """Return a turn without what is thought first; a call before any thought ends is part of what is said."""
    marker, thought = _MARKER.search(text), _THOUGHT.match(text)
    if thought is None:
        return text
    opened = text.lstrip().startswith("<think>")
    return text[thought.end() :] if marker is None or opened or marker.start() >= thought.end() else text


def _whole(text: str, *, unescaped: bool) -> Parsed:
    """Read a text without a marker: it is calls as a whole, or it holds none."""
    text = text.strip()
    fenced = _FENCE.match(text)
    if fenced:
        text = fenced[1].strip()
    if re.match(r"\[\s*[\w.]+\(", text):
        found = (_unescaped if unescaped else _python)(text, 0)
        return Parsed(tuple(found[0]) if found else (), int(found is None))
    if not text.startswith(("{", "[")):
        return Parsed()
    calls, _ = _values(text, 0, bare=True)
    if calls:
        return Parsed(tuple(calls))
    try:
        _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return Parsed((), int(_TORN.match(text) is not None))
    return Parsed()  # an answer in JSON


def _values(text: str, position: int, *, bare: bool = False) -> _Found:
    """Read calls from JSON values one after the other, up to the first thing that is none.

    A `bare` value is a call only with arguments: an answer in JSON may well have a name.
    """
    calls: list[ToolCall] = []
    end = position
    while True:
        start = _after(_GAP, text, end)
        try:
            value, after = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            return calls, end
        found = _calls(value, bare=bare)
        if not found:
            return calls, end
        calls.extend(found)
        end = after


def _calls(value: Any, *, bare: bool) -> list[ToolCall]:
    if isinstance(value, list):
        return [call for part in value for call in _calls(part, bare=bare)]
    if not isinstance(value, dict):
        return []
    for key in ("tool_calls", "function"):
        if isinstance(value.get(key), list | dict):
            return _calls(value[key], bare=False)
    name = value.get("name", value.get("tool_name"))
    if not isinstance(name, str) or not name or (bare and not value.keys() & {"arguments", "parameters"}):
        return []
    arguments = value.get("arguments", value.get("parameters"))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return [ToolCall(name, torn=True)]
    if isinstance(arguments, dict):
        return [ToolCall(name, arguments)]
    return [ToolCall(name, torn=arguments is not None)]


def _json(text: str, position: int) -> _Found | None:
    """Read what follows a marker of JSON calls, or of one of its younger relatives."""
    calls, end = _values(text, position)
    if calls:
        return calls, end
    if _MARKER.match(text, _after(_SPACE, text, position)):
        return [], position  # no more than brackets around calls of another style
    return _named(_NAMED_JSON, text, position) or _tagged(_GLM_NAME, _GLM_ARGUMENT, text, position)


def _named(head: re.Pattern[str], text: str, position: int) -> _Found | None:
    """Read a name and its arguments as a JSON object."""
    name = head.match(text, position)
    if name is None:
        return None
    try:
        value, end = _DECODER.raw_decode(text, _after(_SPACE, text, name.end()))
    except (ValueError, RecursionError):
        return None
    return ([ToolCall(name["name"], value)], end) if isinstance(value, dict) else None


def _tagged(
    head: re.Pattern[str], argument: re.Pattern[str], text: str, position: int, end: re.Pattern[str] | None = None
) -> _Found | None:
    """Read a name and a tag for each argument."""
    name = head.match(text, position)
    if name is None:
        return None
    arguments = {}
    position = name.end()
    while (one := argument.match(text, position)) is not None:
        arguments[one["key"].strip()] = one["value"]
        position = one.end()
    if end is not None:
        closing = end.match(text, position)
        if closing is None:
            return None
        position = closing.end()
    return [ToolCall(name["name"].strip(), arguments, as_text=True)], position


def _function(text: str, position: int) -> _Found | None:
    found = _tagged(_FUNCTION_NAME, _PARAMETER, text, position, re.compile(r"\s*</function>"))
    return found or _named(_FUNCTION_NAME, text, position)


def _invoke(text: str, position: int) -> _Found | None:
    return _tagged(_INVOKED_NAME, _INVOKED, text, position, _INVOKE_END)


def _gemma(text: str, position: int) -> _Found | None:
    """Read JSON with bare keys, and strings between marks of their own."""
    found = _GEMMA.match(text, position)
    if found is None:
        return None

    def plain(part: re.Match[str]) -> str:
        return json.dumps(part[1]) if part[3] is None else f"{part[2]}{json.dumps(part[3])}"

    try:
        value = json.loads(_GEMMA_PART.sub(plain, found["arguments"]))
    except (ValueError, RecursionError):
        return None
    return [ToolCall(found["name"], value)], found.end()


def _python(text: str, position: int) -> _Found | None:
    """Read a list of Python calls; where that is no Python, since its strings are not escaped, as it stands."""
    return _python_list(text, position, escaped_calls, unescaped_calls)


def _unescaped(text: str, position: int) -> _Found | None:
    """Read a list of Python calls whose strings are never escaped, as the template of LFM 2.5 writes them."""
    return _python_list(text, position, unescaped_calls, escaped_calls)


def _python_list(text: str, position: int, *ways: Callable[[str], Calls | None]) -> _Found | None:
    end = _PYTHON_END.search(text, position)
    source = text[position : end.start() if end else len(text)]
    calls = next((found for way in ways if (found := way(source))), None)
    return None if calls is None else ([ToolCall(*one) for one in calls], end.end() if end else len(text))


def _after(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


#: Name of a style -> the markers after which a call of this style begins, and how it is read.
_DECLARED: Final[dict[str, tuple[str, _Style]]] = {
    "json": (
        r"<tool_calls?>|<function_?calls?>|<\|tool_calls?\|>|\[TOOL_CALLS\]|<\|python_tag\|>|<\|START_ACTION\|>|Action:\s*```json",
        _json,
    ),
    "function": (r"<function=", _function),
    "invoke": (r'<(?:\w+:)?invoke name="', _invoke),
    "deepseek": (r"<\uff5ctool▁call▁begin\uff5c>", lambda text, at: _named(_DEEPSEEK_NAME, text, at)),
    "harmony": (r"\bto=functions\.", lambda text, at: _named(_HARMONY_NAME, text, at)),
    "kimi": (r"<\|tool_call_begin\|>", lambda text, at: _named(_KIMI_NAME, text, at)),
    "gemma": (r"<\|tool_call>call:", _gemma),
    "python": (r"<\|(?:tool_call|python)_start\|>", _python),
}
_STYLES: Final = {name: read for name, (_, read) in _DECLARED.items()}
_MARKER: Final = re.compile("|".join(f"(?P<{name}>{marker})" for name, (marker, _) in _DECLARED.items()))
