"""A row as the tokens a model sees, with the mask of what it is trained on.

One rendering serves scoring, training and evaluation, so that a score is the loss the trainer will meet.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from sage_select.errors import DataError, UsageError, Where
from sage_select.render.adapt import CHANGES, adapt, probe, usable
from sage_select.render.chat import FIXED_DATE, TemplateRefused, choose_template
from sage_select.render.example import Conversation, Example, Text, is_answer
from sage_select.render.mask import marked_spans, prefix_spans, tokens_within
from sage_select.render.panics import panics_refused
from sage_select.render.truncate import keep_end, keep_start

__all__ = ["IGNORED", "Encoded", "Renderer", "context_length"]

#: The label of a token that is not trained.
IGNORED: Final = -100
_RENDERING_VERSION: Final = 1
_CONTEXT_NAMES: Final = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx", "seq_length")


@dataclass(frozen=True)
class Encoded:
    """One row as tokens.

    Parameters
    ----------
    input_ids
        Token ids, at most `max_length`.
    labels
        The same ids where a token is trained, -100 elsewhere and for the first token, which nothing predicts.
    trained
        Labels that are not -100.
    cut
        Tokens removed because the row was too long.
    """

    input_ids: list[int]
    labels: list[int]
    trained: int
    cut: int


class Renderer:
    """Renders examples for one tokenizer.

    Parameters
    ----------
    tokenizer
        A fast tokenizer of transformers.
    max_length
        The most tokens a row may have.
    chat_template
        A Jinja template in place of the tokenizer's own. With `{% generation %}` markers it says itself what is
        trained; without, that is found by rendering prefixes.

    Raises
    ------
    UsageError
        `max_length` is below 2, the tokenizer has no offsets, or the template cannot write anything.

    Notes
    -----
    Conversations train what the assistant says and its tool calls, with the token that ends the turn; turns of
    weight 0 are context only. Plain texts train every token, with the end token appended where there is one.
    """

    def __init__(self, tokenizer: Any, *, max_length: int, chat_template: str | None = None) -> None:
        if max_length < 2:
            raise UsageError(f"the maximum length is {max_length} tokens", expected="at least 2")
        if not getattr(tokenizer, "is_fast", False):
            raise UsageError(
                f"the tokenizer ({type(tokenizer).__name__}) cannot tell which characters a token covers",
                expected="a fast tokenizer (a tokenizer.json)",
            )
        self.max_length = max_length
        self.tokenizer = tokenizer
        self._template = usable(choose_template(tokenizer, chat_template))
        self._support = probe(self._template)
        self._changes: Counter[str] = Counter()
        special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
        special.update(tokenizer.all_special_tokens)
        self._ends = sorted(special)
        self._special = re.compile("|".join(map(re.escape, self._ends)) or r"(?!)")
        self._special_rows = 0
        self._special_seen = ""
        self._conversations = 0

    @property
    def chat_template(self) -> str:
        """The template in use; save it with a trained model, so that it is asked as it was trained."""
        return self._template.text

    @property
    def notices(self) -> list[str]:
        """What the user should know of the rows encoded so far, one line each."""
        lines = []
        if self._conversations and self._template.plain:
            lines.append(
                "the tokenizer has no chat template: turns are written in a plain form (User: ..., Assistant: ...)"
            )
        if self._conversations and self._template.dated:
            lines.append(f"the chat template writes the date of the day: {FIXED_DATE:%Y-%m-%d} is written instead")
        lines += [f"{CHANGES[kind]} ({_rows(count)})" for kind, count in self._changes.items()]
        if self._special_rows:
            lines.append(
                f"the text of special tokens, such as {self._special_seen!r}, is read as those tokens "
                f"({_rows(self._special_rows)})"
            )
        return lines

    @property
    def fingerprint(self) -> str:
        """Hex digest of everything but the row and the length that decides the tokens."""
        backend = json.loads(self.tokenizer.backend_tokenizer.to_str())
        for state in ("truncation", "padding"):  # left there by earlier calls, and overridden in each of ours
            backend.pop(state, None)
        parts = [_RENDERING_VERSION, self._template.text, self._template.special_tokens, backend]
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def encode(self, example: Example, where: Where | None = None) -> Encoded:
        """Return the tokens and labels of one example.

        A row with nothing to train comes back with `trained == 0`; the caller drops and counts it.

        Raises
        ------
        DataError
            The template refuses the conversation, or does not tell where a turn lies.
        """
        if isinstance(example, Text):
            return self._encode_text(example.text)
        self._look_for_special(*(message["content"] for message in example.messages))
        turns, tools, changes = adapt(_answers(example.messages), example.tools, self._support)
        self._changes.update(changes)
        if not turns:
            return Encoded([], [], 0, 0)
        self._conversations += 1
        text, spans = self._spans(turns, tools, where)
        ids, offsets = self._tokenised(text)
        trained = tokens_within(offsets, spans)
        return _labelled(ids, trained, keep_end(trained, self.max_length))

    def prompt(self, example: Example, where: Where | None = None, *, room: int = 0) -> list[int]:
        """Return the tokens from which the last trained assistant turn is to be generated.

        Where they are more than `max_length - room`, the last ones are kept, as in training.

        Raises
        ------
        DataError
            The example has no assistant turn that is trained.
        """
        said = Conversation([]) if isinstance(example, Text) else example
        turns, tools, _ = adapt(_answers(said.messages), said.tools, self._support)
        last = max((i for i, turn in enumerate(turns) if _is_trained(turn)), default=None)
        if last is None:
            raise DataError("the row has no assistant turn to generate", where=where)
        if last:
            text, _ = self._rendered(turns[:last], tools, where, ask=True)
        else:
            text, spans = self._spans(turns[:1], tools, where)
            text = text[: spans[0][0]] if spans else text
        ids, _ = self._tokenised(text)
        return ids[max(0, len(ids) - max(1, self.max_length - room)) :]

    def _encode_text(self, text: str) -> Encoded:
        if not text:
            return Encoded([], [], 0, 0)
        self._look_for_special(text)
        ids = list(self._encoding(text)["input_ids"])
        end = self.tokenizer.eos_token_id
        if end is not None and ids[-1:] != [end]:
            ids.append(end)
        return _labelled(ids, [bool(text.strip())] * len(ids), keep_start(len(ids), self.max_length))

    def _spans(
        self, turns: list[dict[str, Any]], tools: list[dict[str, Any]], where: Where | None
    ) -> tuple[str, list[tuple[int, int]]]:
        """Return the text of adapted turns and the spans of it that are trained."""
        text, marked = self._rendered(turns, tools, where)
        if self._template.marked:
            return text, marked_spans(turns, marked, where)
        return text, prefix_spans(self._template, turns, tools, text, self._ends, where)

    def _rendered(
        self, turns: list[dict[str, Any]], tools: list[dict[str, Any]], where: Where | None, *, ask: bool = False
    ) -> tuple[str, list[tuple[int, int]]]:
        try:
            return self._template.render(turns, tools, ask=ask)
        except TemplateRefused as error:
            raise DataError(
                f"the chat template refuses the conversation: {error}",
                where=where,
                hint="mend the row, or name another template with --chat-template",
            ) from None

    def _tokenised(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        encoding = self._encoding(text, add_special_tokens=False, return_offsets_mapping=True)
        return list(encoding["input_ids"]), encoding["offset_mapping"]

    def _encoding(self, text: str, **options: Any) -> Any:
        def gave_up(said: str) -> DataError:
            return DataError(
                f"the tokenizer gave up on the text that begins {text[:40]!r}",
                got=said,
                hint="the pattern in its tokenizer.json fails there: fetch the model again, or leave the row out",
            )

        with panics_refused(gave_up):
            return self.tokenizer(text, verbose=False, **options)

    def _look_for_special(self, *texts: str) -> None:
        found = next((match for text in texts if (match := self._special.search(text))), None)
        if found is not None:
            self._special_rows += 1
            self._special_seen = self._special_seen or found.group()


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _is_trained(turn: dict[str, Any]) -> bool:
    return turn["role"] == "assistant" and turn.get("weight") != 0


def _answers(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the turns with weight 0 for the assistant's empty ones, which would train an end token alone."""
    return [turn if turn["role"] != "assistant" or is_answer(turn) else {**turn, "weight": 0} for turn in messages]


def _labelled(ids: list[int], trained: list[bool], kept: slice) -> Encoded:
    labels = [token if train else IGNORED for token, train in zip(ids[kept], trained[kept], strict=True)]
    labels[:1] = [IGNORED] * len(labels[:1])
    return Encoded(ids[kept], labels, len(labels) - labels.count(IGNORED), len(ids) - len(labels))


def context_length(config: Any, tokenizer: Any = None) -> int | None:
    """Return the most tokens that model and tokenizer take, or None where neither says so.

    Parameters
    ----------
    config
        A model configuration of transformers.
    tokenizer
        Its tokenizer, where that is known; its limit counts too.
    """
    text_config = config.get_text_config() if hasattr(config, "get_text_config") else config
    limits = [getattr(text_config, name, None) for name in _CONTEXT_NAMES]
    limits.append(getattr(tokenizer, "model_max_length", None))
    known = [int(limit) for limit in limits if isinstance(limit, int | float) and 0 < limit < 10**9]
    return min(known) if known else None
