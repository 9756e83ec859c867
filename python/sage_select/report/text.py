"""Words of others as a page may show them: no character of theirs hides, moves or ends anything."""

from __future__ import annotations

import unicodedata
from typing import Final

__all__ = ["shown"]

#: Joiners, by which scripts and emoji hold together; they move nothing.
_JOINERS: Final = "\u200c\u200d"
#: Controls, formats (bidirectional marks among them), halves of characters, and what is none.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Cn"})
_SPACES: Final = "\n\t\r"
_ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"


def shown(text: str, most: int) -> str:
    r"""Return text on one line, what is not to be seen in it spelt out, cut after `most` characters.

    Examples
    --------
    >>> shown("a\nb\x00c\u202ed", 80)
    'a b\\x00c\\u202ed'
    >>> shown("x" * 1000, 4)
    'xxxx… (1,000 characters)'
    """
    cut = text[:most]
    # A mark that belongs to a character that is cut away would be drawn upon the next.
    line = "".join(" " if char in _SPACES else _visible(char) for char in cut)
    return line if len(text) <= most else f"{line.rstrip()}{_ELLIPSIS} ({len(text):,} characters)"


def _visible(char: str) -> str:
    if unicodedata.category(char) in _HIDDEN and char not in _JOINERS:
        return repr(char)[1:-1]
    return char
