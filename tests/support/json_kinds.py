"""The kinds of the values at one place of JSON rows: the plain twin of what the Rust reader observes."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from itertools import chain
from types import NoneType
from typing import Any, Final

__all__ = ["ABSENT", "ARGUMENTS", "KINDS", "Kind", "Observed", "is_inexact"]

ARGUMENTS: Final = "arguments"
#: Names whose objects differ from row to row by their nature.
TEXT_KEYS: Final = frozenset({"tools", ARGUMENTS, "parameters"})
#: Members of messages that are text in most rows, and in some the objects that a tool gave.
CONTENT_KEYS: Final = frozenset({"content", "value"})

# Arrow IPC refuses more than 64 levels; nothing so deep or so wide is a table any more.
_MAX_TYPED_DEPTH: Final = 16
_MAX_FIELDS: Final = 256
_EXACT_FLOAT: Final = 2**53


class _Absent(enum.Enum):
    """A key that an object does not have, unlike one that is null."""

    ABSENT = 0


ABSENT: Final = _Absent.ABSENT


class Kind(enum.Enum):
    """What a value is, in the words of a message."""

    BOOL = "true or false"
    INT = "a whole number"
    FLOAT = "a decimal number"
    STRING = "a string"
    LIST = "a list"
    OBJECT = "an object"
    TEXT = "JSON text"


#: The kind of each type that JSON values have in Python.
KINDS: Final = {
    bool: Kind.BOOL,
    int: Kind.INT,
    float: Kind.FLOAT,
    str: Kind.STRING,
    list: Kind.LIST,
    dict: Kind.OBJECT,
}


class Observed:
    """What the values of one place in the rows are.

    Parameters
    ----------
    name
        The key, or "item" for the elements of a list.
    depth
        0 for a column.
    in_list
        Whether the values are elements of a list.
    """

    def __init__(self, name: str, depth: int = 0, *, in_list: bool = False) -> None:
        self.name = name
        self.depth = depth
        self.in_list = in_list
        self.kinds: set[Kind] = set()
        self.null = False
        self.absent = False
        self.inexact = False
        self.text = False
        self.item: Observed | None = None
        self.fields: dict[str, Observed] = {}
        self._keys: frozenset[str] | None = None
        self._objects = False

    @property
    def mixed(self) -> bool:
        """Whether no single scalar, list or object type holds all values without loss."""
        kinds = self.kinds - {Kind.INT} if Kind.FLOAT in self.kinds and not self.inexact else self.kinds
        return len(kinds) > 1

    @property
    def refuses_mixture(self) -> bool:
        """Whether several kinds are an error here: in a column, unless its name says that it holds anything."""
        return self.depth == 0 and self.name not in TEXT_KEYS

    def observe(self, values: Sequence[Any]) -> None:
        """Take note of values of this place, in row order."""
        types = set(map(type, values))
        self.absent |= _Absent in types
        self.null |= NoneType in types
        self.kinds.update(KINDS[kind] for kind in types - {NoneType, _Absent})
        if self.text:
            return
        if int in types:
            self.inexact |= any(is_inexact(value) for value in values if type(value) is int)
        containers = bool(types & {list, dict})
        by_name = self.name in TEXT_KEYS and (containers or (self.name == ARGUMENTS and str in types))
        by_name |= dict in types and self.name in CONTENT_KEYS and self.depth > 0
        too_deep = containers and self.depth >= _MAX_TYPED_DEPTH
        if by_name or too_deep or (self.mixed and not self.refuses_mixture):
            self.text = True
            return
        if list in types:
            if self.item is None:
                self.item = Observed("item", self.depth + 1, in_list=True)
            self.item.observe(list(chain.from_iterable(value for value in values if type(value) is list)))
        if dict in types:
            self._observe_objects([value for value in values if type(value) is dict])

    def _observe_objects(self, objects: list[dict[str, Any]]) -> None:
        keys = dict.fromkeys(chain.from_iterable(objects))
        if not self.in_list:
            self._keys = frozenset(objects[0]) if self._keys is None else self._keys
            self.text = any(value.keys() != self._keys for value in objects)
        if self.text or "" in keys or len(keys.keys() | self.fields.keys()) > _MAX_FIELDS:
            self.text = True
            return
        for key in keys:
            if key not in self.fields:
                self.fields[key] = Observed(key, self.depth + 1)
                self.fields[key].absent = self._objects
        self._objects = True
        for key, seen in self.fields.items():
            seen.observe([value.get(key, ABSENT) for value in objects])


def is_inexact(value: int) -> bool:
    """Tell whether a 64-bit float cannot hold this integer.

    Examples
    --------
    >>> is_inexact(2**60), is_inexact(2**60 + 1)
    (False, True)
    """
    return not -_EXACT_FLOAT <= value <= _EXACT_FLOAT and int(float(value)) != value
