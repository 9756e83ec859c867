"""Held-out rows, ready to measure: tokens with the mask of the loss, and the point where a turn is predicted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sage_select.errors import DataError, Where
from sage_select.render import Conversation, Example, to_example
from sage_select.render.example import is_answer
from sage_select.render.tokens import IGNORED, Encoded, Renderer
from sage_select.train.selection import OrderedRows

__all__ = ["HeldOut", "Question", "prepare"]

#: A generated turn may be this much longer than the longest expected one, and at most so long.
_SPARE_TOKENS = 8
_MOST_NEW_TOKENS = 256


@dataclass(frozen=True)
class Question:
    """The prediction point of a row.

    Parameters
    ----------
    row
        Index of the row among those measured.
    prompt
        Tokens up to the turn to predict.
    expected
        Names of the tools that turn calls, sorted; empty where it calls none.
    """

    row: int
    prompt: list[int]
    expected: tuple[str, ...]


@dataclass(frozen=True)
class HeldOut:
    """Rows to measure a model on.

    Parameters
    ----------
    row_ids, rows
        Ids and tokens of the rows that have a trained token.
    questions
        Prediction points, in the order of the rows.
    end_token
        The token that ends every expected turn and stands nowhere else in one; None if there is no such token.
    max_new_tokens
        How far a turn is generated.
    dropped
        Ids of rows without a trained token.
    """

    row_ids: tuple[str, ...]
    rows: tuple[Encoded, ...]
    questions: tuple[Question, ...]
    end_token: int | None
    max_new_tokens: int
    dropped: tuple[str, ...]


def prepare(ordered: OrderedRows, renderer: Renderer, *, progress: Callable[[int, int], None] | None = None) -> HeldOut:
    """Tokenise held-out rows and find their prediction points.

    The prediction point of a conversation is its first trained assistant turn: everything before it is given, the
    expected answer is the set of tools that the turn calls, perhaps none. Text rows have no such point.

    Raises
    ------
    DataError
        If no row has a trained token.
    """
    row_ids: list[str] = []
    rows: list[Encoded] = []
    openings: list[tuple[int, Conversation, Where]] = []
    answers: list[list[int]] = []
    dropped: list[str] = []
    for done, row in enumerate(ordered, start=1):
        example = to_example(row.values, ordered.shape, row.where)
        encoded = renderer.encode(example, row.where)
        if not encoded.trained:
            dropped.append(row.row_id)
            continue
        opening = opening_of(example)
        if opening is not None:
            openings.append((len(rows), opening, row.where))
            answers.append(_trained(renderer.encode(opening, row.where)))
        row_ids.append(row.row_id)
        rows.append(encoded)
        if progress is not None:
            progress(done, len(ordered))
    if not rows:
        raise DataError("no held-out row has an answer to measure", where=ordered.source)
    longest = max(map(len, answers), default=0)
    max_new_tokens = max(1, min(longest + _SPARE_TOKENS, _MOST_NEW_TOKENS, renderer.max_length // 2))
    questions = tuple(
        Question(index, renderer.prompt(opening, where, room=max_new_tokens), _tools_called(opening))
        for index, opening, where in openings
    )
    return HeldOut(tuple(row_ids), tuple(rows), questions, _end_token(answers), max_new_tokens, tuple(dropped))


def opening_of(example: Example) -> Conversation | None:
    """Return the conversation up to and with its first trained assistant turn."""
    if not isinstance(example, Conversation):
        return None
    for index, turn in enumerate(example.messages):
        if is_answer(turn):
            return Conversation(example.messages[: index + 1], example.tools)
    return None


def _tools_called(opening: Conversation) -> tuple[str, ...]:
    return tuple(sorted({call["function"]["name"] for call in opening.messages[-1].get("tool_calls", [])}))


def _trained(encoded: Encoded) -> list[int]:
    return [label for label in encoded.labels if label != IGNORED]


def _end_token(answers: Sequence[Sequence[int]]) -> int | None:
    ends = {answer[-1] for answer in answers if answer}
    if len(ends) != 1:
        return None
    end = ends.pop()
    return None if any(end in answer[:-1] for answer in answers) else end
