"""A conversation as the texts it is trained on, with the characters that each trains.

Most templates write a conversation once and for all. Those of thinking models write a turn differently once others
follow: what was thought is left out of the history. Such a conversation becomes several texts, each a beginning of
the conversation as the template writes it, in which those turns are trained that it writes as it wrote them last.

Two ways lead to the characters of a turn: the `{% generation %}` markers of the template, or its prefixes - the
conversation rendered up to the turn, with the generation prompt, and through the turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from sage_select.render.bounded import Span
from sage_select.render.chat import INDEX, VERBATIM, ChatTemplate, TemplateRefused
from sage_select.render.lost import absent, parts_of
from sage_select.render.marks import Frame, behind_header, spaced, words_in

__all__ = ["Answer", "History", "TextSequence", "Unprompted", "Writer", "is_trained"]

Message = dict[str, Any]
#: What becomes of turns that the template writes differently once others follow.
History = Literal["split", "last"]
#: Up to so many turns each is found by its prefixes, and of more so many of each kind, and its last.
_FEW: Final = 12
_SAMPLES: Final = 2
#: (turn, text) -> whether the text says all of the turn that a text can.
Says = Callable[[Message, str], bool]


def is_trained(turn: Message) -> bool:
    """Return whether a turn of an adapted conversation carries loss."""
    return turn["role"] == "assistant" and turn.get("weight") != 0


@dataclass(frozen=True)
class TextSequence:
    """One text of a conversation.

    Parameters
    ----------
    text
        What the template writes.
    spans
        Turn -> its characters that are trained, in order.
    """

    text: str
    spans: dict[int, list[Span]]


@dataclass(frozen=True)
class Answer:
    """One turn of the assistant as it is predicted.

    Parameters
    ----------
    message
        Number of the message in the row.
    prompt
        The text from which it is generated, its history as the template writes it at that point.
    text
        What the template writes for it, the token that ends it included.
    """

    message: int
    prompt: str
    text: str


class Unprompted(NamedTuple):
    """A trained message that begins otherwise than it is asked for.

    Parameters
    ----------
    message
        Its number in the row.
    asked
        The generation prompt.
    switch
        The value of `enable_thinking` under which the template asks for such messages as they are trained, if any.
    """

    message: int
    asked: str
    switch: bool | None


class Writer:
    """The texts of one adapted conversation.

    Parameters
    ----------
    template
        Writes them.
    turns, tools
        The conversation, adapted to the template.
    ends
        Texts of special tokens; white space after one that ends a turn is not part of the turn.
    closing
        What the template writes behind the last turn alone, and which belongs to no turn.
    """

    def __init__(
        self,
        template: ChatTemplate,
        turns: Sequence[Message],
        tools: Sequence[Message],
        ends: Sequence[str],
        closing: str = "",
    ) -> None:
        self._template = template
        self._turns = turns
        self._tools = tools
        self._ends = tuple(ends)
        self._special = re.compile("|".join(map(re.escape, ends)) or r"(?!)")
        self._closing = closing
        self._trained = [index for index, turn in enumerate(turns) if is_trained(turn)]
        self._through: dict[int, tuple[str, list[Span]] | None] = {}
        self._starts: dict[int, int | None] = {}
        self._covered: set[int] = set()

    def text(self) -> str:
        """Return what the template writes for the conversation; it raises as `sequences` does."""
        return self._rendered(len(self._turns) - 1)[0]

    def places(self, turns: Iterable[int]) -> list[tuple[int, int]]:
        """Return for each of these turns its message, and its place among the turns that the message became."""
        numbers = [self._number(index) for index in range(len(self._turns))]
        return [(numbers[index], numbers[:index].count(numbers[index])) for index in turns]

    def sequences(self, history: History, says: Says) -> list[TextSequence]:
        """Return the texts to train, in the order of their last turns, each trained turn in one of them.

        Under `last` there is one text, of the turns that it writes as it wrote them last.

        Raises
        ------
        TemplateRefused
            The template cannot write the conversation, or does not tell where a turn lies.
        """
        out = [self._sequence(len(self._turns) - 1, self._trained, says)]
        found = out[0].spans
        missing = self._missing(self._trained, found)
        if history == "last" and found:
            return out
        while missing:
            last = missing[-1]
            one = self._sequence(last, missing, says)
            if last not in one.spans:
                raise TemplateRefused(f"it does not tell where message {self._number(last)} lies in its text")
            out.append(one)
            missing = self._missing(missing, one.spans) if history == "split" else []
        return sorted((one for one in out if one.spans or len(out) == 1), key=lambda one: max(one.spans, default=0))

    def untrained(self, sequences: Sequence[TextSequence]) -> int:
        """Return how many turns that carry loss none of the texts trains."""
        return len(self._trained) - len(self._covered) - sum(len(one.spans) for one in sequences)

    def _missing(self, wanted: Sequence[int], found: Collection[int]) -> list[int]:
        """Return the wanted turns that are neither found nor part of one that is."""
        return [index for index in wanted if index not in found and index not in self._covered]

    def answers(self, only: int | None = None) -> Iterator[Answer]:
        """Yield each trained message as it is predicted, or only one; it raises as `sequences` does."""
        groups: dict[int, list[int]] = {}
        for index in self._trained:
            groups.setdefault(self._number(index), []).append(index)
        for number, group in groups.items():
            if only not in (None, number):
                continue
            text, start = self._open(self._rendered(group[-1])[0]), self._start(group[0])
            if start is None:
                raise TemplateRefused(f"it does not tell where message {number} lies in its text")
            prompt = self._prefix(group[0], ask=True)
            yield Answer(number, text[:start] if prompt is None else prompt, text[start:])

    def unprompted(self) -> Iterator[Unprompted]:
        """Yield the trained messages whose text does not begin as the generation prompt has a thought begin or end."""
        told: dict[tuple[object, ...], tuple[str, bool | None] | None] = {}
        for index in self._trained:
            kind = self._kind(index)
            if kind not in told:
                told[kind] = self._asked_otherwise(index)
            asked = told[kind]
            if asked is not None:
                yield Unprompted(self._number(index), *asked)

    def _asked_otherwise(self, index: int) -> tuple[str, bool | None] | None:
        plain, prompt = self._prefix(index, ask=False), self._prefix(index, ask=True)
        through = self._try(index)
        if plain is None or prompt is None or through is None or through[0].startswith(prompt):
            return None
        asked = prompt[len(plain) :] if prompt.startswith(plain) else prompt
        if "think" not in asked:
            return None
        for value in (True, False):
            other = self._attempt(self._turns[:index], self._tools, ask=True, enable_thinking=value)
            if other is not None and other[0] != prompt and through[0].startswith(other[0]):
                return asked, value
        return asked, None

    def _number(self, index: int) -> int:
        return int(self._turns[index].get(INDEX, index))

    def _sequence(self, last: int, wanted: Sequence[int], says: Says) -> TextSequence:
        """Return the text through a turn, with those wanted turns that it writes as it does where they come last."""
        text, marked = self._rendered(last)
        spans = self._by_marks(last, marked) if self._template.marked else None
        alike = self._by_likeness(last, text, wanted) if spans is None else {}
        found: dict[int, list[Span]] = {}
        for index in wanted:
            own = alike.get(index) or self._by_prefix(text, index) if spans is None else spans.get(index)
            if not own:
                continue
            turn = self._turns[index]
            if not says(turn, text) and says(turn, self._rendered(index)[0]):
                continue
            found[index] = own
        # Where a template writes the next turn of the same speaker right behind, both are one.
        for index in reversed(wanted):
            if index not in found and index + 1 in found and self._swallowed(index, text, found[index + 1][0]):
                self._covered.add(index)
        return TextSequence(text, found)

    def _swallowed(self, index: int, text: str, following: Span) -> bool:
        before = len(self._prefix(index, ask=False) or "")
        return self._says(text[slice(*following)], index) and not self._says(text[before : following[0]], index)

    def _says(self, text: str, index: int) -> bool:
        return not absent(list(parts_of([self._turns[index]], [])), [text])

    def _by_marks(self, last: int, marked: list[Span]) -> dict[int, list[Span]] | None:
        """Return the spans that the template marks for each turn, or None where they cannot be told apart."""
        said = [index for index, turn in enumerate(self._turns[: last + 1]) if turn["role"] == "assistant"]
        if len(marked) == len(said):
            return {index: [span] for index, span in zip(said, marked, strict=True) if span[0] < span[1]}
        counts: list[int] = []
        for index in said:
            through = self._try(index)
            if through is None:
                return None
            counts.append(len(through[1]))
        if counts != sorted(counts) or (counts and counts[-1] != len(marked)):
            return None
        edges = zip(said, [0, *counts], counts, strict=False)
        spans: dict[int, list[Span]] = {}
        for index, first, end in edges:
            own = [span for span in marked[first:end] if span[0] < span[1]]
            if index - 1 in spans and self._number(index) == self._number(index - 1):
                # A message that was split, and may be written as one turn all the same.
                own = [*spans.pop(index - 1), *own]
                self._covered.add(index - 1)
            spans[index] = own
        # Where an earlier turn has fewer marks than it had as the last one, those of later turns are not told apart.
        text = self._rendered(last)[0]
        return spans if all(self._hold(text, index, own) for index, own in spans.items()) else None

    def _hold(self, text: str, index: int, spans: Sequence[Span]) -> bool:
        """Return whether spans hold all that a text says of what a turn says; they do where there are none."""
        parts = list(parts_of([self._turns[index]], []))
        missing = absent(parts, ["".join(text[slice(*span)] for span in spans)]) if spans else []
        return len(absent(missing, [text])) == len(missing)

    def _by_likeness(self, last: int, text: str, wanted: Sequence[int]) -> dict[int, list[Span]]:
        """Return the spans of turns of long conversations that lie as others of their kind do, without their prefixes.

        Their words are found by marks around them; what stands before and behind is that of the first turns of the kind
        and of its last, which are found by their prefixes.
        """
        if len(wanted) <= _FEW or last != len(self._turns) - 1:
            return {}
        words = words_in(text, self._template, self._turns, self._tools, wanted)
        found: dict[int, list[Span]] = {}
        for kind in {self._kind(index) for index in words}:
            members = [index for index in words if self._kind(index) == kind]
            samples = [*members[:_SAMPLES], members[-1]]
            frames = {self._frame(text, index, words[index]) for index in samples}
            frame = frames.pop()
            if frames or frame is None:
                continue
            for index in members:
                start, end = words[index][0] - len(frame.before), words[index][1] + len(frame.behind)
                around = frame.header + frame.before + text[slice(*words[index])] + frame.behind
                if text[max(0, start - len(frame.header)) : end] == around:
                    found[index] = [(start, end)]
        return found

    def _frame(self, text: str, index: int, words: Span) -> Frame | None:
        """Return what stands around the words of a turn, by its prefixes; None where they do not tell."""
        spans = self._by_prefix(text, index)
        told, asked = self._prefix(index, ask=False), self._prefix(index, ask=True)
        if spans is None or told is None or asked is None or not asked.startswith(told):
            return None
        [(start, end)] = spans
        if start > words[0] or end < words[1]:
            return None
        return Frame(asked[len(told) :], text[start : words[0]], text[words[1] : end])

    def _kind(self, index: int) -> tuple[object, ...]:
        """Return what turns have in common that a template writes alike."""
        turn, others = self._turns[index], (index - 1, index + 1)
        around = [self._turns[at] if 0 <= at < len(self._turns) else {} for at in others]
        before, _, behind = spaced(turn["content"])
        own = (before, behind, bool(turn.get("tool_calls")), bool(turn.get("reasoning_content")), VERBATIM in turn)
        return index == 0, *own, *((other.get("role"), bool(other.get("tool_calls"))) for other in around)

    def _by_prefix(self, text: str, index: int) -> list[Span] | None:
        through = self._try(index)
        start = self._start(index)
        written = "" if through is None else self._open(through[0])
        if not written or start is None or not text.startswith(written) or start > len(written):
            return None
        said = written[start:]
        stripped = said.rstrip()
        end = len(stripped) if stripped.endswith(self._ends) else len(said)
        return [(start, start + end)]

    def _start(self, index: int) -> int | None:
        """Return where a turn starts in the text through it, or None where that cannot be told."""
        if index not in self._starts:
            self._starts[index] = self._find_start(index)
        return self._starts[index]

    def _find_start(self, index: int) -> int | None:
        text = self._rendered(index)[0]
        prefix = None
        for ask in (True, False):
            # A turn that does not begin with the generation prompt (a call with a header of its own, say) is trained
            # with its header.
            prefix = self._prefix(index, ask=ask)
            if prefix is not None and text.startswith(prefix):
                return len(prefix)
        if prefix is not None:
            return self._behind_header(index, text)
        # No turn comes before, or the template refuses a conversation without a user: look for the header itself.
        probe = [{"role": "user", "content": "x"}]
        header = self._header(probe, [])
        before = max((end for i in self._trained if i < index for _, end in self._by_prefix(text, i) or []), default=0)
        found = text.find(header, before) if header else -1
        return found + len(header) if found >= 0 else self._behind_header(index, text, header, before)

    def _behind_header(self, index: int, text: str, header: str | None = None, first: int = 0) -> int | None:
        """Return where a turn starts that the template writes behind what it does not write without the turn."""
        header = self._header(self._turns[:index], self._tools) if header is None else header
        start = behind_header(text, header, self._special, lambda end: self._says(end, index), first)
        before = self._turns[index - 1] if index else {}
        if start is None or (before.get("role") == "assistant" and not is_trained(before)):
            return None
        return start

    def _header(self, turns: Sequence[Message], tools: Sequence[Message]) -> str:
        """Return the generation prompt, empty where there is none."""
        asked, told = self._attempt(turns, tools, ask=True), self._attempt(turns, tools, ask=False)
        plain = "" if told is None else self._open(told[0])
        return "" if asked is None or told is None or not asked[0].startswith(plain) else asked[0][len(plain) :]

    def _open(self, text: str) -> str:
        """Return a text without what closes it, behind which another turn could stand."""
        return text.removesuffix(self._closing)

    def _prefix(self, index: int, *, ask: bool) -> str | None:
        """Return what the template writes before a turn, or None where it refuses to or there is nothing."""
        rendered = self._attempt(self._turns[:index], self._tools, ask=ask) if index else None
        return None if rendered is None else self._open(rendered[0])

    def _rendered(self, last: int) -> tuple[str, list[Span]]:
        """Return the text through a turn.

        Raises
        ------
        TemplateRefused
            The template refuses it.
        """
        if self._through.get(last) is None:
            self._through[last] = self._template.render_verbatim(self._turns[: last + 1], self._tools)
        return self._through[last]  # type: ignore[return-value]

    def _try(self, last: int) -> tuple[str, list[Span]] | None:
        if last not in self._through:
            try:
                self._rendered(last)
            except TemplateRefused:
                self._through[last] = None
        return self._through[last]

    def _attempt(
        self, turns: Sequence[Message], tools: Sequence[Message], *, ask: bool, **options: bool
    ) -> tuple[str, list[Span]] | None:
        try:
            return self._template.render(turns, tools, ask=ask, **options)
        except TemplateRefused:
            return None
