"""What must stay in a text that is said in other words: code, addresses, placeholders, quotations, numbers, names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ["Span", "protected_spans", "violation"]

#: Letters, digits and _ of a word, but for scripts that put no spaces between words, such as Thai and Chinese.
_LETTERS: Final = (
    "[^\\W\\u0e00-\\u0eff\\u1000-\\u109f\\u1780-\\u17ff\\u2e80-\\u9fff\\uf900-\\ufaff\\uff66-\\uff9f"
    "\\U00020000-\\U0003ffff]++"
)
#: Kind -> pattern; of two that begin at one place, the first. All are bounded, so that no text takes long.
_KINDS: Final = {
    "code": r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]{1,1000}`|[^\W\d]\w{0,100}+\([^()\n]{0,200}\)",
    "address": r"(?:\w{2,9}://|www\.)[^\s<>\"'`]{1,2000}+|(?<![\w.+-])[\w.+-]{1,64}+@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}",
    "formula": r"\$\$.{1,1000}?\$\$|\$[^\s$](?:[^$\n]{0,500}[^\s$])?\$(?!\d)|\\\(.{1,1000}?\\\)|\\\[.{1,1000}?\\\]",
    "placeholder": (
        r"\{\{[^{}]{0,400}\}\}|\$?\{[^{}]{0,400}\}|</?[^\s<>][^<>\n]{0,200}>|\[[A-Z][A-Z0-9_ ]{0,60}\]|%\(\w{1,60}\)s"
    ),
    "quotation": (
        r"\"[^\"\n]{0,1000}\"|“[^”]{0,1000}”|„[^“”]{0,1000}[“”]|«[^»]{0,1000}»|「[^」]{0,1000}」|『[^』]{0,1000}』"
        r"|《[^》]{0,1000}》|(?<!\w)'[^'\n]{1,1000}'(?!\w)|(?<!\w)\u2018[^\u2019\n]{1,1000}\u2019(?!\w)"
    ),
    "token": (
        rf"[+\-\u2212$€£¥₹@#~/]?{_LETTERS}(?:(?:(?<=\d)[,:\u00d7^=*+](?=[\d+\-\u2212])|[./\\'\u2019@-]){_LETTERS})*+(?:\(\)|[%°€£¥₹])?"
    ),
}
_GROUPS: Final = "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items())
#: A token that is the name of something: an identifier, a path, a domain, a mention, an abbreviation in capitals.
_NAME: Final = re.compile(r"[@#~/]|[^\W_]_|_[^\W_]|\w[./\\@]\w|[a-z][A-Z]|\(\)|[A-Z]{2,}+$")
_DIGIT: Final = re.compile(r"\d")
_REASONS: Final = {
    "argument": "another name of a tool, or value of an argument",
    "code": "other code",
    "address": "another address",
    "formula": "another formula",
    "placeholder": "another placeholder",
    "quotation": "another quotation",
    "name": "another name",
    "number": "another number",
}
_EDGE: Final = "[A-Za-z0-9_]"


class Span(NamedTuple):
    """A stretch of a text that must stay: from `start` to before `end`."""

    start: int
    end: int
    kind: str


def protected_spans(text: str, kept: Sequence[str] = ()) -> list[Span]:
    """Return the stretches of a text that must stay, ascending and apart.

    Parameters
    ----------
    text
        Any text.
    kept
        What must stay as well, in any case of letters, where it stands as words of its own: names of tools and values
        of arguments.

    Examples
    --------
    >>> text = 'Give "Dune" {n} times for $12.50 to my_friend'
    >>> [text[one.start : one.end] for one in protected_spans(text)]
    ['"Dune"', '{n}', '$12.50', 'my_friend']
    """
    spans = []
    for match in _pattern(tuple(kept)).finditer(text):
        kind = str(match.lastgroup)
        if kind == "token":
            kind = "number" if _DIGIT.search(match.group()) else "name" if _NAME.search(match.group()) else ""
        if kind:
            spans.append(Span(match.start(), match.end(), kind))
    return spans


def violation(before: str, after: str, kept: Sequence[str] = ()) -> str | None:
    """Return what a text says otherwise that had to stay, in the words of reports; None where all of it is there.

    What must stay is there as often as before, in any order.

    Examples
    --------
    >>> violation("Add 3 and 4.", "Add 3 and 5.")
    'another number'
    """
    counts = [
        Counter((one.kind, text[one.start : one.end]) for one in protected_spans(text, kept))
        for text in (before, after)
    ]
    differing = {kind for kind, _ in (counts[0] - counts[1]) + (counts[1] - counts[0])}
    return next((reason for kind, reason in _REASONS.items() if kind in differing), None)


@lru_cache(maxsize=256)
def _pattern(kept: tuple[str, ...]) -> re.Pattern[str]:
    # The longest first, so that a part of another never takes its place.
    own = [_bounded(one) for one in sorted(set(kept), key=lambda one: (-len(one), one)) if one.strip()]
    groups = f"(?P<argument>(?i:{'|'.join(own)}))|{_GROUPS}" if own else _GROUPS
    return re.compile(groups, re.DOTALL)


def _bounded(text: str) -> str:
    """Return the pattern of a text that stands as words of its own; scripts without spaces have no such bounds."""
    text = text.strip()
    first = rf"(?<!{_EDGE})" if re.match(_EDGE, text[0]) else ""
    last = rf"(?!{_EDGE})" if re.match(_EDGE, text[-1]) else ""
    return first + re.escape(text) + last
