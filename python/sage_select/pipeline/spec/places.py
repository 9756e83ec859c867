"""Where in the text of a spec its keys and values stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["KeyPath", "Place", "Places", "spelt"]

#: The keys that lead to a value, and places in lists, from 0: `("steps", 1, "select", "budget")`.
KeyPath = tuple[str | int, ...]


class Place(NamedTuple):
    """A place in a text: line and character of the line, both from 1."""

    line: int
    column: int


@dataclass
class Places:
    """The places of all keys, and of all values that are neither list nor mapping."""

    keys: dict[KeyPath, Place] = field(default_factory=dict)
    values: dict[KeyPath, Place] = field(default_factory=dict)

    def of(self, path: KeyPath, *, key: bool = False) -> Place | None:
        """Return the place of the value at `path`, or of its key, or else of the nearest key above it that has one."""
        if not key and path in self.values:
            return self.values[path]
        return next((self.keys[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.keys), None)


def spelt(path: KeyPath) -> str | None:
    """Return a path as messages have it, `steps.1.select.budget`; None of the whole."""
    return ".".join(str(part) for part in path) or None
