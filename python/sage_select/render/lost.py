"""Words of a row that a chat template leaves out of its text.

Two things are looked at. The row itself: every word, thought, call and result is looked for in what was written,
whatever white space, escapes or form of numbers it was written with. And the same conversation with a word of our own
in each place: what is missing then is left out whatever it says, also where the row's own words happen to stand
elsewhere. The second is found out once for all rows that are built alike.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

from sage_select.display import counted
from sage_select.render.adapt import split_thought
from sage_select.render.messages import THOUGHTS, thought_of
from sage_select.render.values import dump_json

__all__ = ["KINDS", "LostWords", "Part", "absent", "parts_of", "probe_words"]

Message = dict[str, Any]

#: Kind of what may be lost -> what it is called.
KINDS: Final = {
    "words": "words",
    "thoughts": "thoughts",
    "calls": "tool calls",
    "results": "tool results",
    "tools": "tools offered",
}
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Part:
    """Something that a message says: the message's number, the kind, and its text in each of its spellings."""

    message: int
    kind: str
    spellings: tuple[str, ...]


@dataclass
class LostWords:
    """Counts of what chat templates left out.

    Parameters
    ----------
    rows, messages
        Kind -> rows and messages that lost something.
    first
        Kind -> the first row, as the caller names rows, and the message in it.
    """

    rows: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    first: dict[str, tuple[str, int]] = field(default_factory=dict)

    def add(self, row: str, lost: Sequence[Part]) -> None:
        """Count what one row lost."""
        pairs = dict.fromkeys((part.kind, part.message) for part in lost)
        self.messages.update(kind for kind, _ in pairs)
        self.rows.update({kind for kind, _ in pairs})
        for kind, message in pairs:
            self.first.setdefault(kind, (row, message))

    def lines(self) -> list[str]:
        """Return one line for each kind that was lost, and what can be done."""
        lines = []
        for kind, name in KINDS.items():
            if not self.rows[kind]:
                continue
            row, message = self.first[kind]
            place = row if kind == "tools" else f"{row}, message {message}"
            turns = "" if kind == "tools" else f" of {self.messages[kind]:,} turns"
            rows = counted(self.rows[kind], "row")
            lines.append(f"LOST: the chat template leaves out {name}{turns} in {rows}, first {place}")
        if lines:
            lines[-1] += "; --on-lost-words error refuses such rows, --chat-template names another template"
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            kind: {
                "rows": self.rows[kind],
                "messages": self.messages[kind],
                "first_row": self.first[kind][0],
                "first_message": self.first[kind][1],
            }
            for kind in KINDS
            if self.rows[kind]
        }


def parts_of(messages: Sequence[Message], tools: Sequence[Message]) -> Iterator[Part]:
    """Yield what a conversation in the normal form says; tools count as said by message -1."""
    for tool in tools:
        yield Part(-1, "tools", _spellings(tool["function"]["name"]))
    for index, message in enumerate(messages):
        words = message["content"]
        if message["role"] == "assistant":
            inline, words = split_thought(words)
            for thought in filter(None, (thought_of(message).strip(), inline)):
                yield Part(index, "thoughts", _spellings(thought))
        if words.strip():
            yield Part(index, "results" if message["role"] == "tool" else "words", _spellings(words))
        for call in message.get("tool_calls", ()):
            yield Part(index, "calls", _spellings(call["function"]["name"]))
            for leaf in _leaves(call["function"]["arguments"]):
                yield Part(index, "calls", _spellings(leaf))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield key
            yield from _leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from _leaves(member)
    elif value is not None and value != "":
        yield value


def _spellings(value: Any) -> tuple[str, ...]:
    """Return the texts as which a template may write a value."""
    if isinstance(value, bool):
        return ("true", "True") if value else ("false", "False")
    if isinstance(value, int | float):
        whole = [str(int(value))] if isinstance(value, float) and value.is_integer() else []
        return tuple(dict.fromkeys([dump_json(value), str(value), f"{value:g}", f"{value:.6f}".rstrip("0"), *whole]))
    return (value.strip(),)


def absent(parts: Sequence[Part], texts: Sequence[str]) -> list[Part]:
    """Return the parts that stand in none of the texts.

    White space and the escapes of JSON, HTML and Python may differ. The cost is one search of the texts for each part,
    and a second one in the texts without white space for what that does not find.
    """
    spaceless: list[str] = []

    def stands(part: Part) -> bool:
        if any(spelling in text for text in texts for spelling in part.spellings):
            return True
        if not spaceless:
            spaceless.extend(_SPACE.sub("", text) for text in texts)
        for spelling in part.spellings:
            forms = {
                _SPACE.sub("", form)
                for form in (
                    *(spelling, dump_json(spelling)[1:-1], json.dumps(spelling)[1:-1]),
                    *(escape(spelling), repr(spelling)[1:-1]),
                )
            }
            if any(form in text for form in forms for text in spaceless):
                return True
        return False

    return [part for part in parts if not stands(part)]


def probe_words(messages: Sequence[Message]) -> tuple[list[Message], tuple[Any, ...]]:
    """Return the conversation with a word of our own for each thing said, and what it has in common with its like."""
    probes: list[Message] = []
    form: list[Any] = []
    for index, message in enumerate(messages):
        thought, words = split_thought(message["content"]) if message["role"] == "assistant" else ("", "")
        words = words if message["role"] == "assistant" else message["content"]
        word = f"sage{index}word" if words.strip() else ""
        inline = f"<think>\nsage{index}inline\n</think>\n\n" if thought else ""
        probe: Message = {**message, "content": inline + word}
        for name in THOUGHTS:
            probe.pop(name, None)
        if thought_of(message):
            probe["reasoning_content"] = f"sage{index}thought"
        calls = message.get("tool_calls", ())
        if calls:
            probe["tool_calls"] = [
                {
                    **call,
                    "function": {"name": f"sage{index}call{number}", "arguments": {"key": f"sage{index}value{number}"}},
                }
                for number, call in enumerate(calls)
            ]
        probes.append(probe)
        form.append(
            (
                message["role"],
                bool(word),
                bool(inline),
                "reasoning_content" in probe,
                len(calls),
                message.get("weight"),
                "name" in message,
                all("id" in call for call in calls),
            )
        )
    return probes, tuple(form)
