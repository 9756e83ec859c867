"""Some rows as a trainer sees them: what is context, and what is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from sage_select.errors import DataError
from sage_select.inspection.measure import Inspection
from sage_select.render import Conversation, Example, Text, examples
from sage_select.render.example import is_answer
from sage_select.render.messages import thought_of
from sage_select.render.values import dump_json

if TYPE_CHECKING:
    from sage_select.render.tokens import Renderer

__all__ = ["Piece", "ShownRow", "decoded", "shown_rows"]


@dataclass(frozen=True)
class Piece:
    """A part of a row.

    Attributes
    ----------
    label
        Who speaks, or what it is: `system`, `user`, `assistant`, `tool`, `tools`, `text`; empty where it is a part of
        the text that a chat template writes.
    trained
        Whether it is what the model learns to say.
    text
        What it says.
    """

    label: str
    trained: bool
    text: str


@dataclass(frozen=True)
class ShownRow:
    """A row as a trainer sees it.

    Attributes
    ----------
    row, file, line
        Its number among the rows of its file, from 0, the file, and its line, of text.
    words
        How many words it has.
    pieces
        What it says, in order; of a model, what its chat template writes, of several training examples one after the
        other.
    tokens, trained_tokens, cut
        Tokens of the model, those that are trained, and those that are cut since the row is too long; None without one.
    refused
        Why the chat template refuses it.
    """

    row: int | None
    file: str | None
    line: int | None
    words: int
    pieces: list[Piece]
    tokens: int | None = None
    trained_tokens: int | None = None
    cut: int | None = None
    refused: str | None = None


def shown_rows(found: Inspection, count: int, renderer: Renderer | None = None) -> Iterator[ShownRow]:
    """Yield so many of the rows that have something to train, from the first to the last of them at equal distances.

    Parameters
    ----------
    found
        The rows.
    count
        How many, at most.
    renderer
        That of a model: what it sees of a row are the tokens of its chat template, with their mask.
    """
    usable = np.flatnonzero(found.said.answered)
    chosen = np.unique(np.linspace(0, len(usable) - 1, min(count, len(usable))).round().astype(np.int64))
    numbers = usable[chosen]
    some = found.rows.only(numbers)
    for place, example in enumerate(examples(some.table, found.shape, some.where)):
        where = some.where(place)
        facts = (where.row, where.file, where.line, int(found.words[numbers[place]]))
        if renderer is None:
            yield ShownRow(*facts, _pieces(example))
            continue
        try:
            encoded = renderer.encode_all(example, where)
        except DataError as error:
            yield ShownRow(*facts, _pieces(example), refused=error.message)
            continue
        yield ShownRow(
            *facts,
            [piece for one in encoded for piece in decoded(one.input_ids, one.labels, renderer.tokenizer)],
            sum(len(one.input_ids) for one in encoded),
            sum(one.trained for one in encoded),
            sum(one.cut for one in encoded),
        )


def _pieces(example: Example) -> list[Piece]:
    if isinstance(example, Text):
        return [Piece("text", True, example.text)]
    return [*_tools(example), *(piece for message in example.messages for piece in _of_message(message))]


def _tools(example: Conversation) -> list[Piece]:
    return [Piece("tools", False, "\n".join(map(dump_json, example.tools)))] if example.tools else []


def _of_message(message: dict[str, Any]) -> Iterator[Piece]:
    role, trained = message["role"], message.get("weight") != 0 and is_answer(message)
    calls = [
        f"calls {call['function']['name']} {_text(call['function']['arguments'])}"
        for call in message.get("tool_calls", ())
    ]
    thought = thought_of(message) if role == "assistant" else ""
    parts = [*([f"thinks {thought}"] if thought else []), *([message["content"]] if message["content"] else []), *calls]
    yield Piece(role, trained, "\n".join(parts))


def _text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else dump_json(arguments)


def decoded(input_ids: list[int], labels: list[int], tokenizer: Any) -> Iterator[Piece]:
    """Yield the text of a training example in parts that are trained, and parts that are not.

    The first token carries no label since nothing predicts it; it belongs to the part that follows.
    """
    labels = (labels[1:2] or labels[:1]) + labels[1:]
    end, said = 0, ""
    for trained, group in groupby(label >= 0 for label in labels):
        end += len(list(group))
        # A token may be a part of a character, and some tokenizers write the first token of a text otherwise.
        text = tokenizer.decode(input_ids[:end], clean_up_tokenization_spaces=False)
        yield Piece("", trained, text[len(said) :])
        said = text
