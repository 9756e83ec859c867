"""What a teacher is asked: the turns of each row before its last answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final

from sage_select.contamination import Origins
from sage_select.evaluate.held_out import ends_of_turns, turn_tokens
from sage_select.evaluate.readers import Reader, Written, choose_reader, readers_of
from sage_select.render import Conversation, Example
from sage_select.render.example import is_answer
from sage_select.render.tokens import Predicted, Renderer
from sage_select.train.config import TrainConfig
from sage_select.train.data import BadRows, DroppedRow
from sage_select.train.selection import OrderedRows, Row

__all__ = ["PROMPT_END", "Prompt", "Prompts", "predicted_turn", "prompts_of"]

#: Tokens of a prompt that readers may need: the beginning of the turn.
PROMPT_END: Final = 64
#: What stands in the place of an answer that is empty while its prompt is written.
_ANY_ANSWER: Final = "ok"


@dataclass(frozen=True)
class Prompt:
    """What a teacher is asked for one row.

    Parameters
    ----------
    number, row_id
        The row: its number in the file, and its id.
    message
        Number of the message to answer, from 0.
    ids
        Tokens of all that comes before.
    """

    number: int
    row_id: str
    message: int
    ids: list[int]


@dataclass(frozen=True)
class Prompts:
    """What a teacher is asked for a selection.

    Parameters
    ----------
    asked
        In training order.
    dropped
        Rows of which nothing can be asked, and why.
    ends, inside
        Tokens that end turns as the template writes those of the rows, and those that stand inside of them.
    reader
        How calls of tools are read from a turn.
    """

    asked: tuple[Prompt, ...]
    dropped: tuple[DroppedRow, ...]
    ends: frozenset[int]
    inside: frozenset[int]
    reader: Reader

    @cached_property
    def in_batches(self) -> list[Prompt]:
        """Those asked, the longest first, by what they say: which lie in one batch follows from the rows alone."""
        return sorted(self.asked, key=lambda one: (-len(one.ids), one.ids, one.row_id, one.number))

    @property
    def digest(self) -> str:
        """Of rows and prompts, whatever their order."""
        parts = sorted((one.row_id, one.message, one.ids) for one in self.asked)
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def prompts_of(
    rows: OrderedRows,
    renderer: Renderer,
    config: TrainConfig,
    *,
    room: int | None,
    progress: Callable[[int, int], None],
) -> Prompts:
    """Return the prompts of rows.

    Parameters
    ----------
    rows, renderer
        The rows, and how the teacher has them written.
    config
        What becomes of bad rows.
    room
        Tokens that a prompt may have; None: as many as it likes.
    progress
        Called with (rows done, rows).

    Raises
    ------
    DataError
        If rows cannot be read, all of them counted.
    """
    ids = Origins.of(rows.rows.table, rows.shape, None, named=True).ids.to_pylist()
    bad = BadRows(config.on_bad_row)
    asked: list[Prompt] = []
    dropped: list[DroppedRow] = []
    turns: list[Written] = []
    answers: list[list[int]] = []
    tokenizer, special = renderer.tokenizer, renderer.special_ids
    for done, row in enumerate(rows, start=1):
        found = bad.tried(rows, row, partial(_predicted, row, renderer))
        row_id = str(ids[row.number])
        if isinstance(found, str):
            dropped.append(DroppedRow(row.number, row_id, found))
        elif found is not None:
            predicted, names = found
            own = turn_tokens(tokenizer, predicted.text, special)
            end = tokenizer.decode(predicted.prompt[-PROMPT_END:])
            turns.append(Written(tokenizer.decode(own), end, names))
            answers.append(own)
            if room is not None and len(predicted.prompt) > room:
                reason = "what comes before its answer does not fit the teacher"
                dropped.append(DroppedRow(row.number, row_id, reason))
            else:
                asked.append(Prompt(row.number, row_id, predicted.message, predicted.prompt))
        progress(done, len(rows))
    bad.check(rows, config.max_bad)
    refused = (DroppedRow(one.row, str(ids[one.row]), one.reason) for one in bad.rows)
    ends = ends_of_turns(answers, special)
    reader = choose_reader(readers_of(tokenizer, renderer.chat_template), turns).reader
    return Prompts(tuple(asked), (*dropped, *refused), ends, _inside(answers, ends), reader)


def _last_answer(example: Example) -> int | None:
    """Return the number of the last trained turn of the assistant; None where there is none."""
    messages = example.messages if isinstance(example, Conversation) else []
    said = [at for at, one in enumerate(messages) if one["role"] == "assistant" and one.get("weight") != 0]
    return said[-1] if said else None


def _predicted(row: Row, renderer: Renderer, example: Example) -> tuple[Predicted, tuple[str, ...]] | str:
    """Return the last answer of a row as it is to be generated, with the tools that it calls; or why there is none."""
    last = _last_answer(example)
    if last is None or not isinstance(example, Conversation):
        return "no answer of the assistant that a teacher could replace"
    if any(one["role"] == "tool" for one in example.messages[last + 1 :]):
        return "results of tools follow its last answer, and would be none of the teacher's calls"
    messages = list(example.messages)
    if not is_answer(messages[last]):
        # A row without an answer is asked as well; templates may write no empty turn.
        messages[last] = {**messages[last], "content": _ANY_ANSWER}
    found = predicted_turn(renderer, Conversation(messages, example.tools), last, row.where)
    if found is None:
        return "the chat template does not write its last answer as a turn"
    return found, tuple(call["function"]["name"] for call in example.messages[last].get("tool_calls", ()))


def predicted_turn(renderer: Renderer, example: Conversation, message: int, where: Any = None) -> Predicted | None:
    """Return one turn as it is to be generated, None where the template writes none of its own; others cost nothing.

    Raises
    ------
    DataError
        If the template refuses the conversation.
    """
    messages = [
        {**one, "weight": 0} if one["role"] == "assistant" and at != message else one
        for at, one in enumerate(example.messages)
    ]
    alone = Conversation(messages, example.tools)
    return next((one for one in renderer.predicted(alone, where) if one.message == message), None)


def _inside(answers: Sequence[Sequence[int]], ends: Collection[int]) -> frozenset[int]:
    """Return the tokens that stand inside of turns, of those that the template writes as one."""
    whole = (ids[:-1] for ids in answers if not set(ends).intersection(ids[:-1]))
    return frozenset(token for ids in whole for token in ids)
