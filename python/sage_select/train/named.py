"""Tables of things that a setting names: each entry says what it is, and unknown names are refused with the nearest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from sage_select.errors import UsageError, nearest

__all__ = ["Barred", "Named", "Table"]

#: Why something does not go together with something else, and what to do instead.
Barred = tuple[str, str]


class Named(Protocol):
    """An entry of a table."""

    @property
    def name(self) -> str:
        """What settings call it."""

    @property
    def summary(self) -> str:
        """What it is, in a phrase."""


EntryT = TypeVar("EntryT", bound=Named)


class Table(Mapping[str, EntryT], Generic[EntryT]):
    """Entries by name, in the order in which they are shown.

    Parameters
    ----------
    kind
        What messages call an entry.
    entries
        All there are.
    """

    def __init__(self, kind: str, entries: Iterable[EntryT]) -> None:
        self.kind = kind
        self._entries = {entry.name: entry for entry in entries}

    def __getitem__(self, name: str) -> EntryT:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def need(self, name: str) -> EntryT:
        """Return the entry of this name.

        Raises
        ------
        UsageError
            If there is none, with the nearest.
        """
        if name not in self._entries:
            raise UsageError(
                f"unknown {self.kind} {name!r}", expected=", ".join(self._entries), hint=nearest(name, self._entries)
            )
        return self._entries[name]
