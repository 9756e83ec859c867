"""Which reader of tool calls fits a chat template: the first that reads back what the template writes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sage_select.evaluate.tool_calls import Parsed, ToolCall, parse_tool_calls

__all__ = ["Reader", "Written", "choose_reader", "readers_of"]


@dataclass(frozen=True)
class Reader:
    """One way to read the calls of a turn.

    Parameters
    ----------
    name
        Where it comes from.
    read
        The text of a turn, and the end of the prompt before it -> its calls.
    """

    name: str
    read: Callable[[str, str], Parsed]


@dataclass(frozen=True)
class Written:
    """A turn of a row as the template writes it.

    Parameters
    ----------
    text, prompt
        The turn up to the token that ends it, and the end of what stands before.
    names
        Names of the tools that the row calls there, in order.
    """

    text: str
    prompt: str
    names: tuple[str, ...]

    def read_by(self, reader: Reader) -> bool:
        """Return whether the reader finds just the calls of the row."""
        parsed = reader.read(self.text, self.prompt)
        return not parsed.failures and tuple(call.name for call in parsed.calls) == self.names


def readers_of(tokenizer: Any, chat_template: Any) -> list[Reader]:
    """Return the readers to try: what the model's tokenizer declares, what TRL knows of its template, and our own.

    Parameters
    ----------
    tokenizer
        A tokenizer of transformers.
    chat_template
        Its template, as the tokenizer or the user gives it.
    """
    readers = []
    declared = getattr(tokenizer, "response_template", None)
    if declared is not None:
        readers.append(Reader("the tokenizer's response template", _by_library(declared)))
    known = _known_to_trl(tokenizer, chat_template)
    if known is not None:
        readers.append(Reader("TRL's response template", _by_library(known)))
    return [*readers, Reader("the styles of sage_select", lambda text, _prompt: parse_tool_calls(text))]


def choose_reader(readers: Sequence[Reader], written: Sequence[Written]) -> tuple[Reader, list[bool]]:
    """Return the reader that reads back most turns, the first of them, and for each turn whether it does."""
    best: tuple[Reader, list[bool]] | None = None
    for reader in readers:
        right = [turn.read_by(reader) for turn in written]
        if best is None or sum(right) > sum(best[1]):
            best = reader, right
        if all(right):
            break
    if best is None:
        raise ValueError("there is no reader to choose from")
    return best


def _by_library(template: Any) -> Callable[[str, str], Parsed]:
    from transformers.utils.chat_parsing import parse_response

    def read(text: str, prompt: str) -> Parsed:
        try:
            message = parse_response(text, template, prefix=prompt)
            calls = [call["function"] for call in message.get("tool_calls") or []]
            found = tuple(ToolCall(call["name"], _arguments(call.get("arguments"))) for call in calls)
        except Exception:  # the library raises what its parsers raise: a call that cannot be read
            return Parsed((), 1)
        return Parsed(found, 0)

    return read


def _arguments(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _known_to_trl(tokenizer: Any, chat_template: Any) -> Any:
    try:
        from trl.chat_template_utils import add_response_schema
    except ImportError:
        return None
    bearer = copy.copy(tokenizer)
    bearer.chat_template = chat_template
    bearer.response_template = None
    try:
        return add_response_schema(bearer).response_template
    except Exception:  # TRL says so of every template that it does not know
        return None
