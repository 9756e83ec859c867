"""Held-out rows, ready to measure: tokens with the mask of the loss, and the turns that are to be generated."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from sage_select.errors import DataError
from sage_select.evaluate.readers import Reader, Written, choose_reader, readers_of
from sage_select.evaluate.tool_calls import ToolCall
from sage_select.render import Conversation, Example, to_example
from sage_select.render.tokens import Encoded, Predicted, Renderer
from sage_select.train.selection import OrderedRows, Row

__all__ = ["DEFAULT_TURNS", "HeldOut", "Question", "ToolTurns", "ends_of_turns", "prepare", "turn_tokens"]

#: Turns of each kind that are generated, where nothing else is said.
DEFAULT_TURNS: Final = 200
#: A generated turn may be this much longer than the longest expected one, and at most so long.
_SPARE_TOKENS: Final = 8
_MOST_NEW_TOKENS: Final = 512
#: Where more of the calling turns than this share cannot be read back, there is no figure.
_MOST_UNREAD: Final = 0.01
#: Tokens of a prompt that readers may need: the beginning of the turn.
_PROMPT_END: Final = 64


@dataclass(frozen=True)
class Question:
    """A turn to generate.

    Parameters
    ----------
    row
        Index of the row among those measured.
    message
        Number of the message in the row, from 0.
    prompt
        Tokens of all that comes before the turn.
    prompt_end
        The last words of the prompt, for the reader.
    calls
        What the turn calls, in order, name and arguments; empty where it calls none.
    tools
        The tools that the row offers, with their schemas.
    with_arguments
        Whether the arguments of the calls, too, are read back from what the template writes.
    """

    row: int
    message: int
    prompt: list[int]
    prompt_end: str
    calls: tuple[ToolCall, ...]
    tools: Sequence[Mapping[str, Any]] = ()
    with_arguments: bool = True

    @property
    def expected(self) -> tuple[str, ...]:
        """Names of the tools that the turn calls, sorted, each once."""
        return tuple(sorted({call.name for call in self.calls}))


@dataclass(frozen=True)
class ToolTurns:
    """Which turns the figures of tools are taken from.

    Parameters
    ----------
    calling, other
        Trained turns of the assistant in the measured rows that call tools, and that call none.
    left_out
        Why -> how many of the sampled turns are not generated.
    history_cut
        How many are generated from a part of their history, because it is too long: as `on_long_row` says.
    no_figure
        Why there is no figure of tools; None where there is one.
    no_arguments
        Why there is none of arguments; None where there is one.
    """

    calling: int
    other: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    history_cut: int = 0
    no_figure: str | None = None
    no_arguments: str | None = None


@dataclass(frozen=True)
class HeldOut:
    """Rows to measure a model on.

    Parameters
    ----------
    row_ids
        Ids of the rows that have a trained token.
    examples, owners
        Training examples of these rows, and for each the index of its row.
    questions
        Turns to generate, in the order of the rows.
    tools
        What the turns are a sample of.
    reader
        How calls are read from a turn.
    stops
        Tokens that end a generated turn: those that end expected turns, and the tokenizer's own.
    inside
        Tokens that stand inside of expected turns, and so never end one.
    max_new_tokens
        How far a turn is generated.
    dropped
        Ids of rows without a trained token, that the chat template refuses, or that are too long.
    tokenizer
        Of the model.
    notices
        What the user should know, one line each.
    """

    row_ids: tuple[str, ...]
    examples: tuple[Encoded, ...]
    owners: tuple[int, ...]
    questions: tuple[Question, ...]
    tools: ToolTurns
    reader: Reader
    stops: frozenset[int]
    inside: frozenset[int]
    max_new_tokens: int
    dropped: tuple[str, ...]
    tokenizer: Any
    notices: tuple[str, ...]


@dataclass(frozen=True)
class _Turn:
    """A trained turn: its row among those measured, its message, what it calls in order, and what the row offers."""

    row: int
    message: int
    calls: tuple[ToolCall, ...]
    tools: Sequence[Mapping[str, Any]] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(call.name for call in self.calls)


def prepare(
    ordered: OrderedRows,
    renderer: Renderer,
    *,
    turns: int | None = DEFAULT_TURNS,
    progress: Callable[[int, int], None] | None = None,
) -> HeldOut:
    """Tokenise held-out rows and find the turns to generate.

    Every trained turn of the assistant is one to generate, given the turns of the row before it. Of those that call
    tools and of those that do not, at most `turns` each are taken: those with the smallest keyed hashes of row id and
    message, so that every model is measured on the same ones.

    Parameters
    ----------
    ordered, renderer
        The rows, and how they are written.
    turns
        The most turns of each kind; None for all, 0 for none.
    progress
        Called with (rows done, rows).

    Raises
    ------
    DataError
        If a row cannot be read, or none has a trained token.
    """
    numbers: list[int] = []
    row_ids: list[str] = []
    examples: list[Encoded] = []
    owners: list[int] = []
    found: list[_Turn] = []
    dropped: list[str] = []
    for done, row in enumerate(ordered, start=1):
        example = to_example(row.values, ordered.shape, row.where)
        learned = [one for one in _encoded(renderer, example, row) if one.trained]
        if learned:
            found.extend(_turns(example, len(row_ids)))
            owners.extend([len(row_ids)] * len(learned))
            examples.extend(learned)
            row_ids.append(row.row_id)
            numbers.append(row.number)
        else:
            dropped.append(row.row_id)
        if progress is not None:
            progress(done, len(ordered))
    if not row_ids:
        raise DataError("no held-out row has an answer to measure", where=ordered.source)
    calling = [turn for turn in found if turn.names]
    other = [turn for turn in found if not turn.names]
    sample = [*_sampled(calling, turns, row_ids), *_sampled(other, turns, row_ids)] if calling else []
    taken = replace(
        ordered, order=np.array([numbers[place] for place in sorted({turn.row for turn in sample})], np.int64)
    )
    chosen = _Choice(renderer, row_ids, sample, list(_written(taken, renderer, sample)))
    why = chosen.no_figure
    if not calling:
        why = "no turn of these rows calls a tool"
    elif turns == 0:
        why = "no turn is generated"
    return HeldOut(
        row_ids=tuple(row_ids),
        examples=tuple(examples),
        owners=tuple(owners),
        questions=() if why else chosen.questions,
        tools=ToolTurns(
            len(calling), len(other), chosen.left_out, chosen.history_cut, why, why or chosen.no_arguments
        ),
        reader=chosen.reader,
        stops=chosen.ends | frozenset(map(renderer.tokenizer.convert_tokens_to_ids, renderer.stop_tokens)),
        inside=chosen.inside,
        max_new_tokens=chosen.max_new_tokens,
        dropped=tuple(dropped),
        tokenizer=renderer.tokenizer,
        notices=() if why and why != chosen.no_figure else tuple(chosen.notices),
    )


def _encoded(renderer: Renderer, example: Example, row: Row) -> list[Encoded]:
    try:
        return renderer.encode_all(example, row.where)
    except DataError:
        return []  # as in training, a row that the template refuses is left out and counted


def _turns(example: Example, row: int) -> Iterator[_Turn]:
    if not isinstance(example, Conversation):
        return
    for index, message in enumerate(example.messages):
        if message["role"] == "assistant" and message.get("weight") != 0:
            yield _Turn(row, index, _calls(message))


def _calls(message: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    functions = (call["function"] for call in message.get("tool_calls", ()))
    # Arguments that are no object are what the row says all the same: no reader gives them back.
    return tuple(ToolCall(one["name"], one["arguments"]) for one in functions)


def _sampled(turns: list[_Turn], most: int | None, row_ids: Sequence[str]) -> list[_Turn]:
    if most is None or len(turns) <= most:
        return turns

    def key(turn: _Turn) -> bytes:
        return hashlib.blake2b(
            f"{row_ids[turn.row]}\n{turn.message}".encode(), digest_size=16, key=b"held out"
        ).digest()

    return sorted(sorted(turns, key=key)[:most], key=lambda turn: (turn.row, turn.message))


def _written(
    ordered: OrderedRows, renderer: Renderer, sample: Sequence[_Turn]
) -> Iterator[tuple[_Turn, Predicted | None]]:
    """Yield each sampled turn with what the template writes, None where it writes none of its own."""
    wanted: dict[int, list[_Turn]] = {}
    for turn in sample:
        wanted.setdefault(turn.row, []).append(turn)
    for place, row in zip(sorted(wanted), ordered, strict=True):
        example = to_example(row.values, ordered.shape, row.where)
        try:
            predicted = {one.message: one for one in renderer.predicted(example, row.where)}
        except DataError:
            predicted = {}
        for turn in sorted(wanted[place], key=lambda turn: turn.message):
            offered = example.tools if isinstance(example, Conversation) else ()
            whole = replace(turn, calls=_whole(example, turn, predicted), tools=offered)
            yield whole, predicted.get(turn.message)


def _whole(example: Example, turn: _Turn, predicted: Mapping[int, Predicted]) -> tuple[ToolCall, ...]:
    """Return what a turn calls; turns in a row may be written as one, which has the number of the last."""
    calls = turn.calls
    messages = example.messages if isinstance(example, Conversation) else []
    before = turn.message - 1
    while turn.message in predicted and before >= 0 and before not in predicted:
        if messages[before]["role"] != "assistant" or messages[before].get("weight") == 0:
            break
        calls = (*_calls(messages[before]), *calls)
        before -= 1
    return calls


class _Choice:
    """The sampled turns that can be judged: those that are written as one turn and read back as they are."""

    def __init__(
        self,
        renderer: Renderer,
        row_ids: Sequence[str],
        sample: Sequence[_Turn],
        written: Sequence[tuple[_Turn, Predicted | None]],
    ) -> None:
        tokenizer = renderer.tokenizer
        self.left_out: Counter[str] = Counter()
        special = renderer.special_ids
        answers = [(turn, one, turn_tokens(tokenizer, one.text, special)) for turn, one in written if one is not None]
        self.left_out["the chat template does not write them as a turn"] = len(written) - len(answers)
        self.ends = ends_of_turns([ids for _, _, ids in answers], special)
        whole = [part for part in answers if not self.ends.intersection(part[2][:-1])]
        self.left_out["the chat template writes them as several turns"] = len(answers) - len(whole)
        longest = max((len(ids) for _, _, ids in whole), default=0)
        self.max_new_tokens = max(1, min(longest + _SPARE_TOKENS, _MOST_NEW_TOKENS, renderer.max_length // 2))
        # Words may be judged by their beginning; of a call all is needed.
        fitting = [part for part in whole if not part[0].names or len(part[2]) <= self.max_new_tokens]
        self.left_out[f"their calls are longer than {self.max_new_tokens} tokens"] = len(whole) - len(fitting)
        room = renderer.max_length - self.max_new_tokens
        cut = [(turn, one, ids, one.within(room)) for turn, one, ids in fitting]
        turns = [
            (turn, one, prompt, _as_written(tokenizer, ids, prompt, turn))
            for turn, one, ids, prompt in cut
            if prompt is not None
        ]
        self.left_out["what has to come before them is too long"] = len(cut) - len(turns)
        readers = readers_of(tokenizer, renderer.chat_template)
        self.reader, right, whole_calls = choose_reader(readers, [written for *_, written in turns])
        unread = [turn for turn, good in zip(turns, right, strict=True) if not good]
        self.left_out["their calls cannot be read back from what the chat template writes"] = len(unread)
        self.left_out = +self.left_out
        self.no_figure = None
        calling = [turn for turn, *_ in turns if turn.names]
        if len(unread) > _MOST_UNREAD * max(len(turns), 1):
            turn, *_, one = unread[0]
            self.no_figure = (
                f"calls cannot be read back from what the chat template writes ({len(unread):,} of {len(turns):,} "
                f"turns; row {row_ids[turn.row]}, message {turn.message}: {_short(one.text)} should call "
                f"{', '.join(one.names) or 'nothing'})"
            )
        elif sample and not calling:
            self.no_figure = "no turn that calls a tool can be judged"
        judged = [(*turn, with_arguments) for turn, good, with_arguments in zip(turns, right, whole_calls, strict=True) if good]
        self.no_arguments = self.no_figure or _no_arguments(
            [(row_ids[turn.row], turn, one.text, good) for turn, one, _, _, good in judged if turn.calls]
        )
        self.inside = frozenset(token for _, _, ids in fitting for token in ids[:-1])
        self.history_cut = sum(len(one.prompt) > room for _, one, *_ in judged)
        self.questions = tuple(
            Question(turn.row, turn.message, prompt, written.prompt, turn.calls, turn.tools, good)
            for turn, _, prompt, written, good in sorted(judged, key=lambda part: (part[0].row, part[0].message))
        )

    @property
    def notices(self) -> list[str]:
        lines = [] if self.no_figure is None else [f"no figures of tools: {self.no_figure}"]
        if self.no_figure is None and self.no_arguments is not None:
            lines.append(f"no figures of arguments: {self.no_arguments}")
        lines += [f"{count:,} turns are not judged: {why}" for why, count in self.left_out.items()]
        if self.history_cut and self.no_figure is None:
            lines.append(f"{self.history_cut:,} turns are generated from a part of their history, which is too long")
        return lines


def _as_written(tokenizer: Any, ids: list[int], prompt: list[int], turn: _Turn) -> Written:
    arguments = tuple(call.arguments for call in turn.calls)
    return Written(tokenizer.decode(ids), tokenizer.decode(prompt[-_PROMPT_END:]), turn.names, arguments, turn.tools)


def _no_arguments(calling: Sequence[tuple[str, _Turn, str, bool]]) -> str | None:
    """Return why there is no figure of arguments: too many of the calling turns do not give theirs back."""
    unread = [(row_id, turn, text) for row_id, turn, text, good in calling if not good]
    if not calling or len(unread) <= _MOST_UNREAD * len(calling):
        return None
    row_id, turn, text = unread[0]
    expected = ", ".join(json.dumps(call.arguments, ensure_ascii=False) for call in turn.calls)
    return (
        "arguments cannot be read back as the rows hold them from what the chat template writes "
        f"({len(unread):,} of {len(calling):,} turns; row {row_id}, message {turn.message}: {_short(text)} should have "
        f"the arguments {_short(expected)})"
    )


def turn_tokens(tokenizer: Any, text: str, special: Collection[int]) -> list[int]:
    """Return the tokens of a turn, without white space after a special token that ends it."""
    ids = list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    stripped = list(tokenizer(text.rstrip(), add_special_tokens=False, verbose=False)["input_ids"])
    return stripped if stripped and stripped[-1] in special else ids


def ends_of_turns(answers: Sequence[Sequence[int]], special: Collection[int]) -> frozenset[int]:
    """Return the tokens that end turns: special ones, and the one that ends all and stands nowhere else."""
    ends = {ids[-1] for ids in answers if ids}
    if len(ends) == 1 and not any(ends.intersection(ids[:-1]) for ids in answers):
        return frozenset(ends)
    return frozenset(ends.intersection(special))


def _short(text: str, limit: int = 120) -> str:
    return repr(text if len(text) <= limit else f"{text[:limit]}...")
