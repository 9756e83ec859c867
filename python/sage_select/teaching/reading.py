"""What a teacher wrote, read back as a message: one that the chat template writes as the teacher did, or none."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from sage_select.errors import DataError
from sage_select.evaluate.held_out import turn_tokens
from sage_select.evaluate.readers import Reader
from sage_select.evaluate.tool_calls import ToolCall, thought_and_words
from sage_select.render import Conversation
from sage_select.render.tokens import Renderer
from sage_select.teaching.prompts import PROMPT_END, Prompt, predicted_turn

__all__ = ["EMPTY", "ENDLESS", "Reading"]

Message = dict[str, Any]

EMPTY: Final = "the teacher says nothing"
ENDLESS: Final = "the teacher does not come to an end"
_NO_TEXT: Final = "the teacher writes bytes that are no text"
_BROKEN: Final = "the teacher calls a tool in a way that cannot be read"
_NOT_OFFERED: Final = "the teacher calls a tool that the row does not offer"
_NO_CALLS: Final = "the teacher calls a tool, which an answer that is a text cannot hold"
_SPECIAL: Final = "the teacher's words hold special tokens"
_OTHERWISE: Final = "the chat template does not write the teacher's answer as the teacher did"

#: How like a turn is what the template writes.
_THE_SAME: Final = 2


class Reading:
    """Reads turns of a teacher.

    Parameters
    ----------
    renderer
        How the teacher has rows written.
    reader
        How calls of tools are read.
    stops
        Tokens that end a turn.
    """

    def __init__(self, renderer: Renderer, reader: Reader, stops: Collection[int]) -> None:
        self._renderer, self._reader, self._stops = renderer, reader, frozenset(stops)
        self._tokenizer = renderer.tokenizer
        ids = sorted({*self._tokenizer.all_special_ids, *renderer.special_ids})
        self._special = [text for text in self._tokenizer.convert_ids_to_tokens(ids) if text and text.strip()]

    def read(self, example: Conversation, prompt: Prompt, tokens: Sequence[int], *, holds_calls: bool) -> Message | str:
        """Return the message that a teacher wrote, in the place of the row's own, or why it is none.

        Such a message has `content`, and `tool_calls` and `reasoning_content` where there are some. With it the row is
        written as the teacher wrote, white space aside, so that a student is trained on what was said and on nothing
        else.

        Parameters
        ----------
        example, prompt
            The row, and what was asked.
        tokens
            What the teacher wrote, through the token that ended it.
        holds_calls
            Whether an answer of the row is a message; a text holds neither calls nor a thought apart.
        """
        body = self._decoded(tokens)
        if not body.strip():
            return EMPTY
        if "\ufffd" in body:
            return _NO_TEXT
        end = self._tokenizer.decode(prompt.ids[-PROMPT_END:])
        parsed = self._reader.read(self._tokenizer.decode(tokens), end)
        if parsed.failures:
            return _BROKEN
        if not parsed.names <= {tool["function"]["name"] for tool in example.tools}:
            return _NOT_OFFERED
        if parsed.calls and not holds_calls:
            return _NO_CALLS
        best, special = None, False
        for message in _candidates(body, parsed.calls, apart=holds_calls):
            said = (message["content"], message.get("reasoning_content", ""))
            if any(token in part for part in said for token in self._special):
                special = True
                continue
            likeness = self._likeness(example, prompt, message, body, end)
            if likeness == _THE_SAME:
                return message
            best = message if best is None and likeness else best
        if best is not None:
            return best
        return _SPECIAL if special else _OTHERWISE

    def _decoded(self, tokens: Sequence[int]) -> str:
        """Return the text of a turn without the token that ends it."""
        own = tokens[:-1] if tokens and tokens[-1] in self._stops else tokens
        # Special tokens stay: some of them mark a tool call, or its end.
        return str(self._tokenizer.decode(list(own), skip_special_tokens=False))

    def _likeness(self, example: Conversation, prompt: Prompt, message: Message, body: str, end: str) -> int:
        """Return `_THE_SAME` where the template writes a message as the teacher did, 1 but for white space, else 0."""
        messages = list(example.messages)
        messages[prompt.message] = {"role": "assistant", **message}
        try:
            found = predicted_turn(self._renderer, Conversation(messages, example.tools), prompt.message)
        except DataError:
            return 0
        if found is None:
            return 0
        written = self._decoded(turn_tokens(self._tokenizer, found.text, self._renderer.special_ids))
        if written == body:
            return _THE_SAME
        before, after, asked = (_squeezed(text) for text in (written, body, end))
        # What the prompt has of the turn already, such as the mark at which a thought begins.
        return int(before.endswith(after) and asked.endswith(before[: len(before) - len(after)]))


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _candidates(body: str, calls: Sequence[ToolCall], *, apart: bool) -> Iterator[Message]:
    """Yield the messages that a turn may be, the likeliest first; `apart` is whether a thought may stand beside words.

    Examples
    --------
    >>> list(_candidates("<think>Why?</think>Yes.", [], apart=True))[0]
    {'content': 'Yes.', 'reasoning_content': 'Why?'}
    """
    thought, words = thought_and_words(body)
    beside: Message = {"reasoning_content": thought.strip()} if apart and thought.strip() else {}
    if calls:
        beside["tool_calls"] = [
            {"type": "function", "function": {"name": one.name, "arguments": one.arguments}} for one in calls
        ]
    # Calls without a mark are the whole turn.
    for content in dict.fromkeys([words.strip(), words, *([""] if calls else ())]):
        if content or calls:
            yield {"content": content, **beside}
    if not calls:
        # A template may take a thought out of the words itself.
        yield from ({"content": text} for text in dict.fromkeys([body.strip(), body]))
