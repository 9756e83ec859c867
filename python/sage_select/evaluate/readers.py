"""Which reader of tool calls fits a chat template: the first that reads back what the template writes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sage_select.evaluate.tool_calls import Parsed, ToolCall, parse_tool_calls
from sage_select.evaluate.typed_values import same_value, typed

__all__ = ["Chosen", "Reader", "Written", "choose_reader", "readers_of"]


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

    def calls(self, text: str, prompt: str, tools: Sequence[Mapping[str, Any]]) -> Parsed:
        """Return the calls of a turn, values that stand without quotes typed by the schemas of these tools."""
        return typed(self.read(text, prompt), tools)


@dataclass(frozen=True)
class Written:
    """A turn of a row as the template writes it.

    Parameters
    ----------
    text, prompt
        The turn up to the token that ends it, and the end of what stands before.
    names
        Names of the tools that the row calls there, in order.
    arguments
        Of each call what it is called with; empty where nobody asks.
    tools
        What the row offers.
    """

    text: str
    prompt: str
    names: tuple[str, ...]
    arguments: tuple[Any, ...] = ()
    tools: Sequence[Mapping[str, Any]] = ()

    def read_by(self, reader: Reader) -> tuple[bool, bool]:
        """Return whether the reader finds just the calls of the row by name, and whether by name and arguments."""
        parsed = reader.calls(self.text, self.prompt, self.tools)
        if parsed.failures or tuple(call.name for call in parsed.calls) != self.names:
            return False, False
        found = [call.arguments for call in parsed.calls]
        whole = not any(call.torn for call in parsed.calls) and same_value(found, list(self.arguments))
        return True, whole


class Chosen(NamedTuple):
    """The reader that fits best.

    Attributes
    ----------
    reader
        The reader.
    names, arguments
        Of each turn that it was tried on, whether it reads back what is called, and whether what with as well.
    """

    reader: Reader
    names: list[bool]
    arguments: list[bool]


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
    return [
        *readers,
        Reader("the styles of sage_select", lambda text, _prompt: parse_tool_calls(text)),
        Reader(
            "the styles of sage_select, strings of Python calls as they stand",
            lambda text, _prompt: parse_tool_calls(text, unescaped=True),
        ),
    ]


def choose_reader(readers: Sequence[Reader], written: Sequence[Written]) -> Chosen:
    """Return the reader that reads back the calls of most turns by name, of these by arguments, the first of these."""
    best: Chosen | None = None
    for reader in readers:
        right = [turn.read_by(reader) for turn in written]
        found = Chosen(reader, [names for names, _ in right], [whole for _, whole in right])
        if best is None or _count(found) > _count(best):
            best = found
        if all(found.arguments):
            break
    if best is None:
        raise ValueError("there is no reader to choose from")
    return best


def _count(chosen: Chosen) -> tuple[int, int]:
    return sum(chosen.names), sum(chosen.arguments)


def _by_library(template: Any) -> Callable[[str, str], Parsed]:
    from transformers.utils.chat_parsing import parse_response

    as_text = _writes_unquoted(template)

    def read(text: str, prompt: str) -> Parsed:
        try:
            message = parse_response(text, template, prefix=prompt)
            calls = [call["function"] for call in message.get("tool_calls") or []]
            found = tuple(_call(call["name"], call.get("arguments"), as_text) for call in calls)
        except Exception:  # the library raises what its parsers raise: a call that cannot be read
            return Parsed((), 1)
        return Parsed(found, 0)

    return read


def _call(name: str, arguments: Any, as_text: bool) -> ToolCall:
    whole = isinstance(arguments, dict)
    torn = not whole and arguments is not None
    return ToolCall(name, arguments if whole else {}, as_text=as_text, torn=torn)


def _writes_unquoted(template: Any) -> bool:
    """Return whether a response template takes arguments out of tags, where their types are not known."""
    try:
        return str(template["fields"]["tool_calls"]["content"]) == "xml-inline"
    except (KeyError, TypeError, IndexError):
        return False


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
