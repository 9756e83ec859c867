"""How the trained turns of a text end: by a token that stops the generation, and which tokens may be one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sage_select.render.chat import ChatTemplate
from sage_select.render.probe import ends_of_turn
from sage_select.render.sequences import TextSequence

__all__ = ["any_of", "end_of", "ended", "special_tokens"]

_SPACE: Final = re.compile(r"\s*")


def special_tokens(tokenizer: Any, templates: Iterable[ChatTemplate]) -> list[str]:
    """Return the texts of the tokens that have a meaning of their own, the longest first.

    They are what the tokenizer calls special, and the tokens with which its templates, which are usable, end turns:
    some tokenizers have these as ordinary ones, and the line break behind them would be taken for the end.
    """
    added = tokenizer.added_tokens_decoder.values()
    special = {token.content for token in added if token.special}.union(tokenizer.all_special_tokens)
    tokens = any_of(token.content for token in added)
    for template in templates:
        special.update(ends_of_turn(template, tokens))
    return _longest_first(special)


def any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Return what matches any of these texts, the longest that fits."""
    return re.compile("|".join(map(re.escape, _longest_first(texts))) or r"(?!)")


def _longest_first(texts: Iterable[str]) -> list[str]:
    return sorted(texts, key=lambda text: (-len(text), text))


def end_of(said: str, ends: Sequence[str]) -> str:
    """Return the end token that a turn ends by, whatever space is behind it; empty where there is none.

    A tokenizer's end token may itself be a line break.
    """
    stripped = said.rstrip()
    return next((end for text in (stripped, said) for end in ends if end and text.endswith(end)), "")


def ended(sequence: TextSequence, special: re.Pattern[str], ends: Sequence[str], stop: str) -> TextSequence:
    """Return a text in which each trained turn ends by a token that stops the generation, where there is one.

    Where the template writes none within a turn, it is the mark of the next speaker, and `stop` after the last turn.

    Parameters
    ----------
    sequence
        A text and its spans.
    special, ends
        What matches the text of a special token, and these texts.
    stop
        The token to write after the last turn; may be empty.
    """
    text, spans = sequence.text, {}
    for turn, parts in sequence.spans.items():
        start, reached = parts[-1]
        if not end_of(text[start:reached], ends):
            rest = _SPACE.match(text, reached).end()  # type: ignore[union-attr]
            follows = special.match(text, rest)
            if follows:
                reached = follows.end()
            elif rest == len(text):
                text += stop
                reached = len(text)
        spans[turn] = [*parts[:-1], (start, reached)]
    return TextSequence(text, spans)
