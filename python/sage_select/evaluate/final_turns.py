"""The last trained turn of each row: what a model is to say there, and where it ends."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sage_select.errors import DataError
from sage_select.evaluate.asked_model import Answer, AskedModel, Question
from sage_select.evaluate.material import Material
from sage_select.evaluate.tool_turns import PROMPT_END, ends_of_turns, new_tokens, turn_tokens
from sage_select.render import Conversation
from sage_select.render.tokens import Predicted
from sage_select.train.stages import Stages

__all__ = ["FinalTurn", "FinalTurns", "final_turns", "sampled"]


@dataclass(frozen=True)
class FinalTurn:
    """The last trained turn of a row.

    Parameters
    ----------
    row
        Index of the row among those measured.
    row_id, message
        Its id, and the number of the turn in it, from 0.
    words
        What is said there, as the row has it.
    prompt
        Tokens of all that comes before.
    prompt_end
        The last words of these.
    tokens
        Those of the turn as the chat template writes it, with the one that ends it.
    """

    row: int
    row_id: str
    message: int
    words: str
    prompt: list[int]
    prompt_end: str
    tokens: list[int]


@dataclass(frozen=True)
class FinalTurns:
    """The turns of rows, and how they are generated.

    Parameters
    ----------
    turns
        In the order of the rows.
    left_out
        Why -> how many rows have none.
    stops, inside
        Tokens that end such turns, and those that stand inside of them.
    max_new_tokens, max_thinking
        How far one is generated, and how much may be thought before.
    """

    turns: tuple[FinalTurn, ...]
    left_out: Mapping[str, int]
    stops: frozenset[int]
    inside: frozenset[int]
    max_new_tokens: int
    max_thinking: int

    def answers(self, model: AskedModel, stages: Stages, name: str) -> list[Answer]:
        """Return what a model called `name` says in each turn."""
        with stages(f"answers of {name}") as progress:
            return model.answers(
                [Question(one.prompt, one.prompt_end) for one in self.turns],
                most=self.max_new_tokens,
                ends=self.stops,
                inside=self.inside,
                thinking=self.max_thinking,
                progress=progress,
            )


def final_turns(material: Material, wanted: Callable[[str], bool] = bool, *, most: int | None = None) -> FinalTurns:
    """Return the last trained turns of rows.

    Parameters
    ----------
    material
        The rows.
    wanted
        Whether the words of a turn are of use.
    most
        The most rows that are taken, as `sampled` does; None for all.
    """
    renderer, tokenizer = material.renderer, material.tokenizer
    left_out: Counter[str] = Counter()
    found: list[_Place] = []
    for place, row, example in material.measured():
        said = _last(example)
        if said is None:
            left_out["they have no turn of an assistant"] += 1
        elif wanted(said[1]):
            found.append(_Place(place, row.row_id, *said))
    chosen = {one.row: one for one in sampled(found, most)}
    written: list[tuple[FinalTurn, Predicted]] = []
    for place, row, example in material.measured(sorted(chosen)):
        message, words = chosen[place].message, chosen[place].words
        try:
            predicted = {one.message: one for one in renderer.predicted(example, row.where)}.get(message)
        except DataError:
            predicted = None
        if predicted is None:
            left_out["the chat template does not write their last turn as one"] += 1
            continue
        ids = turn_tokens(tokenizer, predicted.text, renderer.special_ids)
        written.append((FinalTurn(place, row.row_id, message, words, [], "", ids), predicted))
    ends = ends_of_turns([turn.tokens for turn, _ in written], renderer.special_ids)
    longest = new_tokens(max((len(turn.tokens) for turn, _ in written), default=0), material)
    turns = []
    for turn, predicted in written:
        prompt = predicted.within(renderer.max_length - longest)
        if prompt is None:
            left_out["what has to come before them is too long"] += 1
        else:
            end = tokenizer.decode(prompt[-PROMPT_END:])
            turns.append(FinalTurn(turn.row, turn.row_id, turn.message, turn.words, prompt, end, turn.tokens))
    return FinalTurns(
        tuple(turns),
        left_out,
        ends | frozenset(map(tokenizer.convert_tokens_to_ids, renderer.stop_tokens)),
        frozenset(token for turn in turns for token in turn.tokens[:-1]),
        longest,
        material.limits.max_thinking,
    )


@dataclass(frozen=True)
class _Place:
    """Where the last turn of a row stands, and what is said there."""

    row: int
    row_id: str
    message: int
    words: str


_TurnT = TypeVar("_TurnT", _Place, FinalTurn)


def _last(example: object) -> tuple[int, str] | None:
    """Return the number of the last trained turn that says something, and its words."""
    messages = example.messages if isinstance(example, Conversation) else []
    trained = (
        (at, one["content"])
        for at, one in enumerate(messages)
        if one["role"] == "assistant" and one.get("weight") != 0 and one["content"].strip()
    )
    return max(trained, default=None)


def sampled(turns: Sequence[_TurnT], most: int | None) -> Sequence[_TurnT]:
    """Return at most so many of turns, those with the smallest keyed hashes of their rows' ids, in their order."""
    if most is None or len(turns) <= most:
        return turns

    def key(place: int) -> bytes:
        return hashlib.blake2b(turns[place].row_id.encode(), digest_size=16, key=b"held out").digest()

    return [turns[place] for place in sorted(sorted(range(len(turns)), key=key)[:most])]
