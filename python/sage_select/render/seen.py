"""What a renderer met on its way through the rows, and the lines that tell of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sage_select.display import counted
from sage_select.render.adapt import CHANGES
from sage_select.render.chat import FIXED_DATE, ChatTemplate
from sage_select.render.ends import end_of
from sage_select.render.lost import LostWords
from sage_select.render.probe import Support
from sage_select.render.sequences import TextSequence, Unprompted

__all__ = ["Seen"]


@dataclass
class Seen:
    """Counts over the rows encoded so far.

    Parameters
    ----------
    conversations
        Rows that are conversations.
    changes
        Kind of change (`CHANGES`) -> rows.
    lost
        Words that templates left out.
    split_rows, split_examples
        Rows of several training examples, and these examples.
    untrained_turns
        Answers that no example trains, because the template writes them differently once others follow.
    unended_turns
        Trained turns after which no token stops the generation.
    unprompted_rows, unprompted_turns
        Trained turns that do not begin with the thought that the generation prompt begins, and the rows that have them.
    """

    conversations: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    lost: LostWords = field(default_factory=LostWords)
    split_rows: int = 0
    split_examples: int = 0
    untrained_turns: int = 0
    unended_turns: int = 0
    unprompted_rows: int = 0
    unprompted_turns: int = 0
    _asked: str = ""
    _switches: set[bool | None] = field(default_factory=set)
    _special_rows: int = 0
    _special: str = ""
    _ends: Counter[str] = field(default_factory=Counter)
    _within: set[str] = field(default_factory=set)

    def text(self, special: str) -> None:
        """Note a text, and the first special token that it spells."""
        self._special_rows += bool(special)
        self._special = self._special or special

    def conversation(self, changes: Sequence[str], *, special: str, examples: int, untrained: int) -> None:
        """Note a conversation: what was changed, and the training examples that it makes."""
        self.text(special)
        self.conversations += 1
        self.changes.update(changes)
        self.untrained_turns += untrained
        if examples > 1:
            self.split_rows += 1
            self.split_examples += examples

    def unprompted(self, turns: Sequence[Unprompted]) -> None:
        """Note the trained turns of a row that begin otherwise than they are asked for."""
        self.unprompted_rows += bool(turns)
        self.unprompted_turns += len(turns)
        for turn in turns:
            self._asked = self._asked or turn.asked
            self._switches.add(turn.switch)

    def ends(self, sequence: TextSequence, special: re.Pattern[str], ends: Sequence[str]) -> None:
        """Note the special tokens by which the trained turns end, and those within them."""
        for spans in sequence.spans.values():
            for number, (start, end) in enumerate(spans):
                said = sequence.text[start:end]
                last = end_of(said, ends)
                said = said if last.isspace() else said.rstrip()
                self._within.update(special.findall(said, 0, len(said) - len(last)))
                if number + 1 == len(spans):
                    self.unended_turns += not last
                    self._ends[last] += bool(last)

    def stops(self, end: str | None) -> list[str]:
        """Return the tokens that end a turn and stand nowhere else in one, and the end token of the tokenizer.

        The end token comes first where it ends turns, else the one that ends most.
        """
        found = [token for token, count in self._ends.most_common() if count and token not in self._within]
        ends = [end] if end else []
        return list(dict.fromkeys([*ends, *found] if end in found else [*found, *ends]))

    def lines(self, template: ChatTemplate, support: Support, end: str | None) -> list[str]:
        """Return what the user should know, one line each; `end` is the end token of the tokenizer."""
        lines = self._of_template(template, support, end) if self.conversations else []
        lines += [f"{CHANGES[kind]} ({counted(count, 'row')})" for kind, count in self.changes.items()]
        if self.split_rows:
            lines.append(
                "the chat template writes earlier turns differently once others follow: "
                f"{counted(self.split_rows, 'row')} became {self.split_examples:,} training examples, "
                "one for each such answer"
            )
        if self.untrained_turns:
            lines.append(
                f"the chat template writes earlier turns differently once others follow: {self.untrained_turns:,} "
                "answers are not trained"
            )
        if self._special_rows:
            lines.append(
                f"the text of special tokens, such as {self._special!r}, is read as those tokens "
                f"({counted(self._special_rows, 'row')})"
            )
        if self.unprompted_turns:
            lines.append(self._unprompted())
        return lines + self.lost.lines()

    def _unprompted(self) -> str:
        if len(self._switches) == 1 and None not in self._switches:
            out = f"generate with enable_thinking={self._switches.copy().pop()}, which begins them as they are trained"
        else:
            thoughts = "no thoughts" if "</think>" in self._asked else "thoughts (reasoning_content)"
            out = f"give these answers {thoughts}, or name a template that asks otherwise with --chat-template"
        return (
            f"PROMPT: the chat template asks for answers with {self._asked!r}, and {self.unprompted_turns:,} trained "
            f"turns in {counted(self.unprompted_rows, 'row')} do not begin so, the model is asked otherwise than it is "
            f"trained: {out}"
        )

    def _of_template(self, template: ChatTemplate, support: Support, end: str | None) -> list[str]:
        lines = []
        if template.plain:
            lines.append(
                "the tokenizer has no chat template: turns are written in a plain form (User: ..., Assistant: ...)"
            )
        if template.dated:
            lines.append(f"the chat template writes the date of the day: {FIXED_DATE:%Y-%m-%d} is written instead")
        stops = self.stops(end)
        if not support.end and end and self._ends[end]:
            others = ", ".join(repr(stop) for stop in stops if stop != end)
            lines.append(
                f"the chat template ends no turn: {end!r} is trained after the last one"
                + (f", and the next speaker's mark ({others}) after others" if others else "")
            )
        elif stops and end and stops[0] != end and not self._ends[end]:
            lines.append(
                f"the chat template ends turns with {stops[0]!r} and the tokenizer texts with {end!r}: "
                f"the tokenizer saved with the adapter ends with {stops[0]!r}"
            )
        if self.unended_turns:
            lines.append(
                f"NO STOP: after {self.unended_turns:,} trained turns the chat template writes no token that stops the "
                "generation; the model may not learn to stop"
            )
        return lines
