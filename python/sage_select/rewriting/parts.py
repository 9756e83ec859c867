"""The texts of a row that may be said in other words, whatever its shape; all else stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sage_select.errors import Where
from sage_select.io.tables.strict_json import encode
from sage_select.render import Shape, to_example
from sage_select.render.example import Text
from sage_select.render.messages import CALL_ROLES, ROLES
from sage_select.render.values import EACH, Path, try_json

__all__ = ["Parts", "Whose", "parts_of", "with_texts"]

#: Whose words may change: those of the user's side, or the assistant's as well.
Whose = Literal["user", "all"]
_Say = Callable[[str], str]

#: Shape -> the parts that the user says, and those that are trained.
_COLUMNS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "prompt_completion": (("prompt",), ("completion",)),
    "instruction": (("instruction", "input"), ("output",)),
    "question_answer": (("question",), ("answer",)),
    "text": ((), ("text",)),
}
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_CALLS: Final = ("tool_calls", "tool_call", "function_call")


@dataclass(frozen=True)
class Parts:
    """What of a row may be said in other words.

    Attributes
    ----------
    texts
        The texts, in the order of the row.
    kept
        The names of tools, and the values of their arguments: where they stand in these texts, they stay.
    """

    texts: tuple[str, ...]
    kept: tuple[str, ...]


def parts_of(row: Mapping[str, Any], shape: Shape, whose: Whose, where: Where | None = None) -> Parts:
    """Return what of a row may be said in other words.

    System turns, tools, calls of tools and their results, and all other turns of the assistant that call, never are;
    and neither is what the assistant thought.

    Parameters
    ----------
    row
        Column -> value, as Arrow gives them.
    shape
        How the row is read.
    whose
        `user`: the turns of the user; `all`: the answers as well, and texts that are trained as a whole.
    where
        The row's place, for messages.

    Raises
    ------
    DataError
        The row does not hold what its shape promises.
    """
    texts: list[str] = []

    def heard(text: str) -> str:
        texts.append(text)
        return text

    _Row(shape, whose, heard).said(row)
    words = "\n".join(texts).casefold()
    return Parts(tuple(texts), tuple(one for one in _kept(row, shape, where) if one.strip().casefold() in words))


def with_texts(row: Mapping[str, Any], shape: Shape, whose: Whose, texts: tuple[str, ...]) -> dict[str, Any]:
    """Return the row with others in the place of the texts that `parts_of` found, one each; all else is as it was.

    Examples
    --------
    >>> from sage_select.render import detect_shape
    >>> shape = detect_shape(["question", "answer"])
    >>> with_texts({"question": "How many?", "answer": "2"}, shape, "user", ("How much?",))
    {'question': 'How much?', 'answer': '2'}
    """
    others = iter(texts)
    return _Row(shape, whose, lambda _: next(others)).said(row)


class _Row:
    """Goes through the texts of a row, in their order, and has each said otherwise."""

    def __init__(self, shape: Shape, whose: Whose, say: _Say) -> None:
        self._shape, self._say, self._all = shape, say, whose == "all"
        self._json = frozenset(shape.json_text)
        self._roles = frozenset(("user", "assistant") if self._all else ("user",))

    def said(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row said otherwise."""
        made, fields = dict(row), self._shape.fields
        if self._shape.name in ("messages", "sharegpt"):
            columns, answers = [fields["messages"]], []
        elif self._shape.name == "template":
            columns, answers = [], list(dict.fromkeys(self._shape.columns))
        else:
            asked, trained = _COLUMNS[self._shape.name]
            columns = [fields[part] for part in asked if part in fields]
            answers = [fields[part] for part in trained]
        for column in [*columns, *(answers if self._all else ())]:
            made[column] = self._opened(row.get(column), (column,), self._column)
        return made

    def _column(self, value: Any, path: Path) -> Any:
        if self._shape.name in ("messages", "sharegpt") and isinstance(value, str):
            return self._spelled(value, list, lambda turns: self._column(turns, ()))
        if isinstance(value, list):
            return [self._opened(message, (*path, EACH), self._message) for message in value]
        return self._say(value) if isinstance(value, str) else value

    def _message(self, value: Any, path: Path) -> Any:
        if isinstance(value, str):
            return self._spelled(value, dict, lambda message: self._message(message, ()))
        if not isinstance(value, dict):
            return value
        spoken = value.get("from") if value.get("role") is None else value["role"]
        name = spoken.strip().lower() if isinstance(spoken, str) else ""
        if ROLES.get(name) not in self._roles or name in CALL_ROLES or any(value.get(one) for one in _CALLS):
            return value
        key = "value" if value.get("content") is None else "content"
        return {**value, key: self._opened(value[key], (*path, key), self._content)} if key in value else value

    def _content(self, value: Any, path: Path) -> Any:
        del path
        if isinstance(value, list):
            return [self._part(part) for part in value]
        return self._say(value) if isinstance(value, str) else value

    def _part(self, part: Any) -> Any:
        if isinstance(part, str):
            return self._say(part)
        if isinstance(part, dict) and part.get("type", "text") in ("text", "input_text"):
            for key in ("text", "value", "content"):
                if isinstance(part.get(key), str):
                    return {**part, key: self._say(part[key])}
        return part

    def _opened(self, value: Any, path: Path, edit: Callable[[Any, Path], Any]) -> Any:
        """Return what `edit` makes of a value, which the column may hold as JSON text."""
        if not isinstance(value, str) or path not in self._json:
            return edit(value, path)
        inner = json.loads(value)
        return _respelled(value, inner, edit(inner, ()))

    @staticmethod
    def _spelled(text: str, kind: type, edit: Callable[[Any], Any]) -> str:
        """Return the JSON text of what `edit` makes of what a text spells; any other text as it is."""
        inner = try_json(text)
        return _respelled(text, inner, edit(inner)) if isinstance(inner, kind) else text


def _respelled(text: str, before: Any, after: Any) -> str:
    """Return the JSON text of `before` with those strings in it that differ in `after`; all else as it is spelt."""
    if before == after:
        return text
    spans = [match.span() for match in _STRING.finditer(text)]
    strings = [list(_strings(value)) for value in (before, after)]
    if not len(spans) == len(strings[0]) == len(strings[1]):
        return encode(after)  # a key stands twice, of which one counts
    parts, place = [], 0
    for (start, end), old, new in zip(spans, *strings, strict=True):
        if old != new:
            parts += [text[place:start], encode(new)]
            place = end
    return "".join([*parts, text[place:]])


def _strings(value: Any) -> Iterator[str]:
    """Yield the strings of a value, keys among them, as they stand in its JSON text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield key
            yield from _strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from _strings(member)


def _kept(row: Mapping[str, Any], shape: Shape, where: Where | None) -> list[str]:
    """Return the names of tools and the values of their arguments, each once."""
    example = to_example(row, shape, where)
    if isinstance(example, Text):
        return []
    found: dict[str, None] = {}
    for tool in example.tools:
        found[str(tool["function"]["name"])] = None
    for message in example.messages:
        for call in message.get("tool_calls", ()):
            found[str(call["function"]["name"])] = None
            found |= dict.fromkeys(_leaves(call["function"]["arguments"]))
    return [text for text in found if text.strip()]


def _leaves(value: Any) -> Iterator[str]:
    """Yield the texts and numbers of a value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
