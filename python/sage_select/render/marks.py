"""Where the words of turns lie in the text of a conversation, found by marks of our own around them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from sage_select.render.bounded import Span
from sage_select.render.chat import ChatTemplate, TemplateRefused

__all__ = ["Frame", "behind_header", "spaced", "words_in"]

#: Characters for private use, with the number of the turn between: before its words, and behind them.
_MARKS: Final = re.compile("\ue000(\\d+)\ue001|\ue002(\\d+)\ue003")


class Frame(NamedTuple):
    """What a template writes around the words of a turn.

    Parameters
    ----------
    header
        The generation prompt before the turn.
    before, behind
        What belongs to the turn before its words and behind them.
    """

    header: str
    before: str
    behind: str


def spaced(words: str) -> tuple[str, str, str]:
    """Return the white space before words, the words, and the white space behind them."""
    start, end = len(words) - len(words.lstrip()), len(words.rstrip())
    return words[:start], words[start:end], words[max(start, end) :]


def words_in(
    text: str,
    template: ChatTemplate,
    turns: Sequence[dict[str, Any]],
    tools: Sequence[dict[str, Any]],
    wanted: Sequence[int],
) -> dict[int, Span]:
    """Return where the words of each wanted turn lie in the text of a conversation, at the cost of one rendering.

    White space around words is none of them. Turns without words, or whose words are not written just once, are left
    out; all are where marks change anything else of the text.
    """
    marked = list(turns)
    for index in wanted:
        before, words, behind = spaced(turns[index]["content"])
        if words:
            content = f"{before}\ue000{index}\ue001{words}\ue002{index}\ue003{behind}"
            marked[index] = {**turns[index], "content": content}
    try:
        written = template.render(marked, tools)[0]
    except TemplateRefused:
        return {}
    starts: dict[int, list[int]] = {}
    ends: dict[int, list[int]] = {}
    shift = 0
    for mark in _MARKS.finditer(written):
        places, number = (starts, mark[1]) if mark[1] is not None else (ends, mark[2])
        places.setdefault(int(number), []).append(mark.start() - shift)
        shift += len(mark[0])
    if _MARKS.sub("", written) != text:
        return {}
    once = (index for index in wanted if len(starts.get(index, ())) == len(ends.get(index, ())) == 1)
    return {index: (starts[index][0], ends[index][0]) for index in once if starts[index] <= ends[index]}


def behind_header(
    text: str, header: str, special: re.Pattern[str], says_all: Callable[[str], bool], first: int
) -> int | None:
    """Return where the last turn of a text begins, behind the last header after which all is said that it says.

    Parameters
    ----------
    text
        A conversation through the turn.
    header
        The generation prompt. Where it does not stand in the text, what it writes through one of its special tokens.
    special
        Matches the text of a special token.
    says_all
        Whether a text says all that the turn says.
    first
        Where the turn can begin at the earliest.
    """
    for shown in (header, *(header[: token.end()] for token in reversed(list(special.finditer(header))))):
        place = text.rfind(shown, first) if shown else -1
        while place >= 0:
            if says_all(text[place + len(shown) :]):
                return place + len(shown)
            place = text.rfind(shown, first, place + len(shown) - 1)
    return None
