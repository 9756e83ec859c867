"""Edits of single words, by draws: what somebody who types fast might have written instead."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from sage_select.rewriting.english import CONTRACTIONS, EXPANSIONS, FILLERS, FIXED
from sage_select.rewriting.protected import Span, protected_spans
from sage_select.seeds import Draws

__all__ = ["EDITS", "edited"]

_CURLY: Final = "\u2019"
_APOSTROPHES: Final = f"'{_CURLY}"
#: The keys beside each on an American keyboard.
_ROWS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS: Final = {
    key: "".join(
        _ROWS[y][x]
        for y, x in ((row, at - 1), (row, at + 1), (row - 1, at), (row - 1, at + 1), (row + 1, at), (row + 1, at - 1))
        if 0 <= y < len(_ROWS) and 0 <= x < len(_ROWS[y])
    )
    for row, keys in enumerate(_ROWS)
    for at, key in enumerate(keys)
}
#: A word must be so long for a typing error to leave it readable.
_LEAST_LETTERS: Final = 4
_LEAST_SWAPPED: Final = 3
#: What ends a sentence, in Chinese and Japanese as well.
_MARKS: Final = (".", "?", "!", "\u3002", "\uff1f", "\uff01")
#: Behind what a sentence starts.
_STARTS: Final = re.compile(f"[{''.join(_MARKS)}:\n]")


@dataclass
class _Words:
    """A text in pieces: words, and what stands between them.

    Attributes
    ----------
    pieces
        The text, cut.
    words
        Which of them are words.
    free
        Which of the words may be edited.
    """

    pieces: list[str]
    words: list[bool]
    free: list[bool]

    def say(self, place: int, text: str) -> None:
        """Put another text in the place of a word, which is not edited again."""
        self.pieces[place], self.free[place] = text, False

    def next_word(self, place: int) -> int | None:
        """Return the word behind one, where a single space divides the two."""
        if place + 2 < len(self.pieces) and self.pieces[place + 1] == " " and self.words[place + 2]:
            return place + 2
        return None


_Edit = Callable[[_Words, int, Draws], bool]


def edited(
    texts: Sequence[str], kept: Sequence[str], rate: float, names: Sequence[str], draws: Draws
) -> tuple[str, ...]:
    """Return texts in which a share of all words, one at least, is edited, where so many can be.

    Parameters
    ----------
    texts
        The texts of one row.
    kept
        What must stay in them, beside what `protected_spans` finds.
    rate
        The share of their words.
    names
        Which of `EDITS` there are.
    draws
        What decides which words are edited, and how.

    Examples
    --------
    >>> edited(["Please do not wait"], (), 0.1, ["contraction"], Draws(0, "a"))
    ("Please don't wait",)
    """
    cut = [_cut(text, kept) for text in texts]
    places = [(text, place) for text in cut for place, free in enumerate(text.free) if free]
    wanted = max(1, int(rate * sum(sum(text.words) for text in cut) + 0.5))
    for text, place in draws.shuffled(places):
        if not wanted:
            break
        if text.free[place]:
            wanted -= any(EDITS[name](text, place, draws) for name in draws.shuffled(names))
    return tuple("".join(text.pieces) for text in cut)


def _cut(text: str, kept: Sequence[str]) -> _Words:
    found = _Words([], [], [])
    first, starts = 0, True
    for start, end, _ in [*protected_spans(text, kept), Span(len(text), len(text), "")]:
        at = len(found.pieces)
        starts = _cut_free(text[first:start], found, starts)
        # What touches something that must stay, as in km2 or a.1, may be what makes that so: it is not changed either.
        for place in range(at, len(found.pieces) if first else at):
            if any(map(str.isspace, found.pieces[place])):
                break
            found.free[place] = False
        for place in reversed(range(at, len(found.pieces) if end > start else at)):
            if any(map(str.isspace, found.pieces[place])):
                break
            found.free[place] = False
        if end > start:
            found.pieces.append(text[start:end])
            found.words.append(True)
            found.free.append(False)
            starts = False
        first = end
    return found


def _cut_free(text: str, found: _Words, starts: bool) -> bool:
    """Cut a stretch in which nothing must stay; return whether a sentence starts behind it."""
    place = 0

    def between(end: int) -> None:
        nonlocal starts
        if end > place:
            found.pieces.append(text[place:end])
            found.words.append(False)
            found.free.append(False)
            starts = starts or _STARTS.search(text, place, end) is not None

    for match in _word().finditer(text):
        between(match.start())
        word = match.group()
        found.pieces.append(word)
        found.words.append(True)
        # A capital letter within a sentence is that of a name.
        found.free.append(_may_change(word, starts))
        starts, place = False, match.end()
    between(len(text))
    return starts


@cache
def _word() -> re.Pattern[str]:
    """Return the pattern of a word: letters, the marks that belong to them, and apostrophes within."""
    marks = "".join(map(chr, (code for code in range(0x300, 0x1F000) if unicodedata.category(chr(code))[0] == "M")))
    return re.compile(rf"[^\W\d_](?:[^\W\d_]|[{marks}]|[{_APOSTROPHES}](?=[^\W\d_]))*")


def _may_change(word: str, starts: bool) -> bool:
    plain = word.replace(_CURLY, "'")
    if plain.lower() in FIXED and plain.lower() not in EXPANSIONS:
        return False
    return plain[0].islower() or not plain[0].isupper() or (starts and plain[1:].islower()) or plain in ("I", "A")


def _typo(text: _Words, place: int, draws: Draws) -> bool:
    word = text.pieces[place]
    if len(word) < _LEAST_LETTERS or not word.isalpha() or not word.islower() or word in FIXED:
        return False
    # Neither the first letter nor the last, which is the plural of many a word.
    at = 1 + draws.below(len(word) - 2)
    kind, letter = draws.below(4), word[at]
    if kind == 0 and word[at + 1] != letter:
        made = word[:at] + word[at + 1] + letter + word[at + 2 :]
    elif kind == 1 and letter in _NEIGHBOURS:
        keys = _NEIGHBOURS[letter]
        made = word[:at] + keys[draws.below(len(keys))] + word[at + 1 :]
    elif kind == 2:
        made = word[:at] + letter + word[at:]
    else:
        made = word[:at] + word[at + 1 :]
    # A typing error that makes one of these words would say something else.
    if made in FIXED or made == word:
        return False
    text.say(place, made)
    return True


def _case(text: _Words, place: int, draws: Draws) -> bool:
    """Write the first word of a text with another first letter."""
    del draws
    word = text.pieces[place]
    if any(text.words[:place]) or len(word) < 2 or not (word[0].isupper() or word[0].islower()):
        return False
    first = word[0].lower() if word[0].isupper() else word[0].upper()
    # Some letters have no single other one.
    if len(first) != 1 or first == word[0]:
        return False
    text.say(place, first + word[1:])
    return True


def _mark(text: _Words, place: int, draws: Draws) -> bool:
    """Leave the mark at the end of a text out."""
    del draws
    if any(text.words[place + 1 :]):
        return False
    last = "".join(text.pieces[place + 1 :])
    if last.rstrip() not in _MARKS:
        return False
    text.pieces[place + 1 :] = [last.replace(last.rstrip(), "")]
    text.words[place + 1 :] = text.free[place + 1 :] = [False]
    text.free[place] = False
    return True


def _contraction(text: _Words, place: int, draws: Draws) -> bool:
    """Write `do not` as `don't`, or the other way."""
    del draws
    word = text.pieces[place]
    whole = EXPANSIONS.get(word.lower().replace(_CURLY, "'"))
    if whole is not None:
        text.say(place, _as(word, whole))
        return True
    behind = text.next_word(place)
    if behind is None or not text.pieces[behind].islower():
        return False
    short = CONTRACTIONS.get(f"{word.lower()} {text.pieces[behind]}")
    if short is None:
        return False
    text.say(place, _as(word, short))
    text.pieces[place + 1] = ""
    text.say(behind, "")
    return True


def _filler(text: _Words, place: int, draws: Draws) -> bool:
    """Leave out a word that says little, and the space behind it."""
    del draws
    behind = text.next_word(place)
    if text.pieces[place].lower() not in FILLERS or behind is None:
        return False
    if text.pieces[place][0].isupper():
        if not text.free[behind]:
            return False
        text.say(behind, text.pieces[behind][:1].upper() + text.pieces[behind][1:])
    text.pieces[place + 1] = ""
    text.say(place, "")
    return True


def _swap(text: _Words, place: int, draws: Draws) -> bool:
    """Have two neighbours change places."""
    del draws
    behind = text.next_word(place)
    if behind is None or not text.free[behind]:
        return False
    one, other = text.pieces[place], text.pieces[behind]
    # An article in another place reads as no slip.
    if any(word.islower() and len(word) < _LEAST_SWAPPED for word in (one, other)):
        return False
    if one[0].isupper() or other[0].isupper() or one == other or {one.lower(), other.lower()} & FIXED:
        return False
    text.say(place, other)
    text.say(behind, one)
    return True


def _as(word: str, text: str) -> str:
    """Return a text that begins as a word does."""
    return text[:1].upper() + text[1:] if word[0].isupper() else text


#: What may become of a word: name -> function that edits it, or says that it cannot.
EDITS: Final[Mapping[str, _Edit]] = {
    "typo": _typo,
    "case": _case,
    "mark": _mark,
    "contraction": _contraction,
    "filler": _filler,
    "swap": _swap,
}
