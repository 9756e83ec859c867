"""Where the keys and values of a TOML document stand; the library that reads TOML does not tell."""

from __future__ import annotations

import re
import tomllib
from typing import Final

from sage_select.pipeline.spec.places import KeyPath, Place, Places

__all__ = ["toml_places"]

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_TEXT: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_OTHER: Final = re.compile(r"[^,\]}#\n]+")


def toml_places(text: str) -> Places:
    """Return where keys and values of a document stand, which `tomllib` has read without an error."""
    return _Scan(text).places


class _Scan:
    """One walk through a document that is known to be well formed: nothing is checked once more."""

    def __init__(self, text: str) -> None:
        self.places = Places()
        self._text = text
        self._at = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._line = 0
        #: Arrays of tables -> the number of their last table.
        self._last: dict[KeyPath, int] = {}
        self._document()

    def _document(self) -> None:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> KeyPath:
        several = self._text.startswith("[[", self._at)
        self._at += 2 if several else 1
        path: KeyPath = ()
        names = self._names()
        for number, (name, place) in enumerate(names, 1):
            path = (*path, name)
            self.places.keys.setdefault(path, place)
            if several and number == len(names):
                self._last[path] = self._last.get(path, -1) + 1
            if path in self._last:
                path = (*path, self._last[path])
                self.places.keys.setdefault(path, place)
        self._at += 2 if several else 1
        return path

    def _names(self) -> list[tuple[str, Place]]:
        """Return the parts of a dotted key, up to what follows it."""
        found = []
        while True:
            self._skip(_SPACE)
            place = self._place()
            name = self._take(_TEXT if self._text[self._at] in "\"'" else _BARE)
            found.append((next(iter(tomllib.loads(f"{name} = 0"))), place))
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return found
            self._at += 1

    def _pair(self, path: KeyPath) -> None:
        for name, place in self._names():
            path = (*path, name)
            self.places.keys.setdefault(path, place)
        self._at += 1  # the sign of equality
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        opening = self._text[self._at]
        if opening not in "[{":
            self.places.values[path] = self._place()
            self._take(_TEXT if opening in "\"'" else _OTHER)
            return
        self._at += 1
        self._skip(_BLANK)
        number = 0
        while self._text[self._at] not in "]}":
            if opening == "[":
                self.places.keys[(*path, number)] = self._place()
                self._value((*path, number))
            else:
                self._pair(path)
            number += 1
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _skip(self, what: re.Pattern[str]) -> None:
        found = what.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _take(self, what: re.Pattern[str]) -> str:
        start = self._at
        self._skip(what)
        return self._text[start : self._at]

    def _place(self) -> Place:
        while self._line + 1 < len(self._starts) and self._starts[self._line + 1] <= self._at:
            self._line += 1
        return Place(self._line + 1, self._at - self._starts[self._line] + 1)
