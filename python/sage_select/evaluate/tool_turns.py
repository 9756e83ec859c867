"""The turns of held-out rows that a model is to generate, and how their calls are read back."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sage_select.errors import DataError
from sage_select.evaluate.material import Material
from sage_select.evaluate.readers import Reader, Written, choose_reader, readers_of
from sage_select.evaluate.tool_calls import ToolCall
from sage_select.render import Conversation, Example
from sage_select.render.tokens import Predicted

__all__ = [
    "Question",
    "ToolQuestions",
    "ToolTurns",
    "ends_of_turns",
    "new_tokens",
    "tool_questions",
    "turn_tokens",
    "unasked",
]

#: A generated turn may be this much longer than the longest expected one, and at most so long.
SPARE_TOKENS: Final = 8
MOST_NEW_TOKENS: Final = 512
#: Where more of the calling turns than this share cannot be read back, there is no figure.
_MOST_UNREAD: Final = 0.01
#: Tokens of a prompt that readers may need: the beginning of the turn.
PROMPT_END: Final = 64
_KEPT: Final = "tool questions"


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
class ToolQuestions:
    """The turns to generate, and how they are judged.

    Parameters
    ----------
    questions
        In the order of the rows; none where there is no figure.
    turns
        What they are a sample of.
    reader
        How calls are read from a turn.
    stops
        Tokens that end a generated turn: those that end expected turns, and the tokenizer's own.
    inside
        Tokens that stand inside of expected turns, and so never end one.
    max_new_tokens
        How far a turn is generated.
    notices
        What the user should know, one line each.
    """

    questions: tuple[Question, ...]
    turns: ToolTurns
    reader: Reader
    stops: frozenset[int]
    inside: frozenset[int]
    max_new_tokens: int
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


def tool_questions(material: Material) -> ToolQuestions:
    """Return the turns to generate of rows; what was found once of a material is kept with it.

    Every trained turn of the assistant is one to generate, given the turns of the row before it. Of those that call
    tools and of those that do not, at most `material.limits.max_turns` each are taken: those with the smallest keyed
    hashes of row id and message, so that every model is measured on the same ones.
    """
    kept = material.kept.get(_KEPT)
    if not isinstance(kept, ToolQuestions):
        kept = material.kept[_KEPT] = _found(material)
    return kept


def _found(material: Material) -> ToolQuestions:
    renderer, row_ids, most = material.renderer, material.row_ids, material.limits.max_turns
    found = [turn for place, _, example in material.measured() for turn in _turns(example, place)]
    calling = [turn for turn in found if turn.names]
    other = [turn for turn in found if not turn.names]
    sample = [*_sampled(calling, most, row_ids), *_sampled(other, most, row_ids)] if calling else []
    chosen = _Choice(material, sample, list(_written(material, sample)))
    why = chosen.no_figure
    if not calling:
        why = "no turn of these rows calls a tool"
    elif most == 0:
        why = "no turn is generated"
    return ToolQuestions(
        questions=() if why else chosen.questions,
        turns=ToolTurns(len(calling), len(other), chosen.left_out, chosen.history_cut, why, why or chosen.no_arguments),
        reader=chosen.reader,
        stops=chosen.ends | frozenset(map(renderer.tokenizer.convert_tokens_to_ids, renderer.stop_tokens)),
        inside=chosen.inside,
        max_new_tokens=chosen.max_new_tokens,
        notices=() if why and why != chosen.no_figure else tuple(chosen.notices),
    )


def unasked(material: Material) -> ToolQuestions:
    """Return that nothing is asked about tools."""
    reader = readers_of(material.tokenizer, material.renderer.chat_template)[-1]
    why = "the evaluator tool_calls is not among those named"
    return ToolQuestions((), ToolTurns(0, 0, {}, 0, why, why), reader, frozenset(), frozenset(), 1, ())


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


def _written(material: Material, sample: Sequence[_Turn]) -> Iterator[tuple[_Turn, Predicted | None]]:
    """Yield each sampled turn with what the template writes, None where it writes none of its own."""
    wanted: dict[int, list[_Turn]] = {}
    for turn in sample:
        wanted.setdefault(turn.row, []).append(turn)
    for place, row, example in material.measured(sorted(wanted)):
        try:
            predicted = {one.message: one for one in material.renderer.predicted(example, row.where)}
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
        material: Material,
        sample: Sequence[_Turn],
        written: Sequence[tuple[_Turn, Predicted | None]],
    ) -> None:
        renderer, row_ids = material.renderer, material.row_ids
        tokenizer = renderer.tokenizer
        self.left_out: Counter[str] = Counter()
        special = renderer.special_ids
        answers = [(turn, one, turn_tokens(tokenizer, one.text, special)) for turn, one in written if one is not None]
        self.left_out["the chat template does not write them as a turn"] = len(written) - len(answers)
        self.ends = ends_of_turns([ids for _, _, ids in answers], special)
        whole = [part for part in answers if not self.ends.intersection(part[2][:-1])]
        self.left_out["the chat template writes them as several turns"] = len(answers) - len(whole)
        longest = max((len(ids) for _, _, ids in whole), default=0)
        self.max_new_tokens = new_tokens(longest, material)
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
        judged = [
            (*turn, with_arguments)
            for turn, good, with_arguments in zip(turns, right, whole_calls, strict=True)
            if good
        ]
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
    return Written(tokenizer.decode(ids), tokenizer.decode(prompt[-PROMPT_END:]), turn.names, arguments, turn.tools)


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


def new_tokens(longest: int, material: Material) -> int:
    """Return how many tokens of an answer are generated at most, where the longest expected one has so many.

    As many as are asked for, or else eight more than that, at most 512; and never more than half of what the model
    takes, so that there is room for what comes before.
    """
    asked = material.limits.max_new_tokens
    own = min(longest + SPARE_TOKENS, MOST_NEW_TOKENS) if asked is None else asked
    return max(1, min(own, material.renderer.max_length // 2))


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
