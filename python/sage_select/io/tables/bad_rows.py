"""Rows that cannot be used: all are counted by kind and the first few named, before anything is decided about them."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from sage_select.errors import DataError

__all__ = ["BadRows", "kind_of"]

_NAMED: Final = 5
#: What differs from row to row in a message, and what a kind says instead.
_PARTICULARS: Final = (
    (re.compile(r" at (character|byte) \d+.*$"), ""),
    (re.compile(r"\bmessage \d+( \(\w+\))?"), "a message"),
    (re.compile(r"\btool \d+"), "a tool"),
    (re.compile(r"\bbyte 0x[0-9a-f]{2}.*$"), "bytes"),
    (re.compile(r"\b(the integer) \S+"), r"\1"),
    (re.compile(r"'(?:[^'\\]|\\.)*'"), "..."),
)


def kind_of(error: DataError) -> str:
    """Return what an error has in common with those of other rows.

    Examples
    --------
    >>> kind_of(DataError("message 3 (user) has no content"))
    'a message has no content'
    >>> kind_of(DataError("not JSON: expecting value at character 7"))
    'not JSON: expecting value'
    """
    kind = error.message
    for pattern, instead in _PARTICULARS:
        kind = pattern.sub(instead, kind)
    return kind


class BadRows:
    """The rows of an input that cannot be used, as they are found."""

    def __init__(self) -> None:
        self.kinds: dict[int, str] = {}
        self._first: dict[int, DataError] = {}

    def __len__(self) -> int:
        return len(self.kinds)

    def add(self, row: int, error: DataError) -> None:
        """Take note of a row, by its number in the table, and of what is wrong with it."""
        self.kinds[row] = kind_of(error)
        self._first[row] = error
        if len(self._first) > _NAMED:
            del self._first[max(self._first)]

    def extend(self, others: BadRows, first: int) -> None:
        """Take in rows that were counted from row `first` of this input."""
        self.kinds.update((first + row, kind) for row, kind in others.kinds.items())
        for row, error in others._first.items():
            self.add(first + row, error)

    def counts(self) -> dict[str, int]:
        """Return how many rows there are of each kind, most first."""
        return dict(Counter(self.kinds.values()).most_common())

    def first(self) -> list[DataError]:
        """Return what is wrong with the first few of them, in the order of the rows."""
        return [error for _, error in sorted(self._first.items())]

    def error(self, rows: int, source: str, hint: str | None) -> DataError:
        """Return the error that tells of them, among so many rows; `hint` says how to go on."""
        first = self.first()
        hints = "; ".join(text for text in (first[0].hint, hint) if text) or None
        if len(self) == 1:
            only = first[0]
            return DataError(only.message, where=only.where, expected=only.expected, got=only.got, hint=hints)
        kinds = ", ".join(f"{count:,} times: {kind}" for kind, count in self.counts().items())
        return DataError(
            f"{len(self):,} of {rows:,} rows cannot be used",
            where=source,
            got=kinds,
            hint=hints,
            problems=[f"{error.where}: {error.message}" for error in first],
        )
