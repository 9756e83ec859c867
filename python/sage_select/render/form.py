"""A chat template with what it can write, and a conversation made ready for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sage_select.render.adapt import adapt, spelled_once, split_thought
from sage_select.render.chat import INDEX, VERBATIM, ChatTemplate
from sage_select.render.example import Conversation, is_answer
from sage_select.render.lost import Part, absent
from sage_select.render.messages import THOUGHTS, thought_of
from sage_select.render.probe import Support
from sage_select.render.sequences import Writer

__all__ = ["Form", "says"]

Message = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """A template and what it can write.

    Parameters
    ----------
    template, support
        The two.
    begin
        The token that begins a text; empty where there is none.
    ends
        Texts of special tokens.
    """

    template: ChatTemplate
    support: Support
    begin: str
    ends: Sequence[str]

    def prepared(self, example: Conversation, kept: Sequence[int] | None = None) -> Conversation:
        """Return a row with turns that are numbered and spell nothing twice.

        `kept` is the numbers of the messages that stay, all of them where it is None.
        """
        numbers = range(len(example.messages)) if kept is None else kept
        turns = spelled_once(_numbered(example.messages, numbers), self.support, self.begin)
        return Conversation(turns, example.tools)

    def writer(self, prepared: Conversation) -> tuple[Writer, list[str]]:
        """Return what writes a prepared conversation, and the kinds of change that this takes."""
        turns, tools, changes = adapt(prepared.messages, prepared.tools, self.support)
        return Writer(self.template, turns, tools, self.ends, self.support.closing), changes


def _numbered(messages: Sequence[Message], numbers: Sequence[int]) -> list[Message]:
    """Return the turns of these numbers, with them, thoughts by one name, and weight 0 for empty answers."""
    prepared = []
    for number in numbers:
        turn = {**messages[number], INDEX: number}
        if turn["role"] == "assistant":
            thought = thought_of(turn)
            turn = {key: value for key, value in turn.items() if key not in THOUGHTS}
            if thought:
                turn["reasoning_content"] = thought
            if not is_answer(turn):
                turn["weight"] = 0
        prepared.append(turn)
    return prepared


def says(turn: Message, text: str) -> bool:
    """Return whether a text holds what was thought before a turn."""
    thought = thought_of(turn).strip() or split_thought(turn.get(VERBATIM) or turn["content"])[0]
    return not thought or thought in text or not absent([Part(0, "thoughts", (thought,))], [text])
