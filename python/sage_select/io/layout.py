"""How JSON values become Arrow types: what was seen at each place, and the layout that follows from it.

A `Seen` tree gathers, batch by batch, what each place of the rows has held; the result does not depend on
where the batches were cut. `layout_of` turns it into a `Layout`, which `nested.build` fills.

Rules
-----
- One kind of scalar, list or object at a place is held as that Arrow type.
- Objects in lists (messages) become structs over the union of their keys; an absent key is null there.
- Any other object whose keys vary by row, `tools`, `arguments` and `parameters`, and objects that are the content of
  a message are held as JSON text.
- A place with several kinds (content: a string here, a list of parts there) is held as JSON text.
- Where a key of list objects is null in some and missing in others, a struct could not tell the two apart:
  the whole column is held as JSON text.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import NoneType
from typing import Any, Final

import pyarrow as pa

__all__ = [
    "ABSENT",
    "ARGUMENTS",
    "CONTENT_KEYS",
    "JSON_TEXT",
    "KINDS",
    "NULL_KEY",
    "TEXT_KEYS",
    "Kind",
    "Layout",
    "Seen",
    "column_field",
    "is_inexact",
    "layout_of",
]

#: Field metadata of a string that holds JSON text.
JSON_TEXT: Final = {b"sage.json": b"1"}
#: Field metadata that says what a null is where the default (in structs: absent, in columns: null) is wrong.
NULL_KEY: Final = b"sage.null"
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


class Seen:
    """What one place in the rows has held so far.

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
        self.item: Seen | None = None
        self.fields: dict[str, Seen] = {}
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

    def look_at(self, values: Sequence[Any]) -> None:
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
                self.item = Seen("item", self.depth + 1, in_list=True)
            self.item.look_at(list(chain.from_iterable(value for value in values if type(value) is list)))
        if dict in types:
            self._look_at_objects([value for value in values if type(value) is dict])

    def _look_at_objects(self, objects: list[dict[str, Any]]) -> None:
        keys = dict.fromkeys(chain.from_iterable(objects))
        if not self.in_list:
            self._keys = frozenset(objects[0]) if self._keys is None else self._keys
            self.text = any(value.keys() != self._keys for value in objects)
        if self.text or "" in keys or len(keys.keys() | self.fields.keys()) > _MAX_FIELDS:
            self.text = True
            return
        for key in keys:
            if key not in self.fields:
                self.fields[key] = Seen(key, self.depth + 1)
                self.fields[key].absent = self._objects
        self._objects = True
        for key, seen in self.fields.items():
            seen.look_at([value.get(key, ABSENT) for value in objects])


def is_inexact(value: int) -> bool:
    """Tell whether a 64-bit float cannot hold this integer.

    Examples
    --------
    >>> is_inexact(2**60), is_inexact(2**60 + 1)
    (False, True)
    """
    return not -_EXACT_FLOAT <= value <= _EXACT_FLOAT and int(float(value)) != value


@dataclass(frozen=True)
class Layout:
    """How the values of one place are held.

    Parameters
    ----------
    kind
        The kind of value; `Kind.TEXT` for JSON text.
    arguments
        For text: whether strings that are JSON objects are held as those objects.
    item
        For lists: how the elements are held.
    fields
        For objects: the keys, in the order of their first appearance.
    null_is_value
        Whether a null stands for a key that is there and null, rather than for an absent key. It changes no
        bytes of the column, only what is said about it.
    """

    kind: Kind
    arguments: bool = False
    item: Layout | None = None
    fields: tuple[tuple[str, Layout], ...] = ()
    null_is_value: bool = field(default=False, compare=False)

    @property
    def type(self) -> pa.DataType:
        """The Arrow type."""
        if self.kind is Kind.LIST and self.item is not None:
            return pa.list_(self.item.field("item"))
        if self.kind is Kind.OBJECT:
            return pa.struct([layout.field(name) for name, layout in self.fields])
        return _SCALARS[self.kind]

    def field(self, name: str) -> pa.Field:
        """Return the Arrow field with the metadata that lets a reader give the values back."""
        metadata = dict(JSON_TEXT) if self.kind is Kind.TEXT else {}
        if self.null_is_value:
            metadata[NULL_KEY] = b"explicit"
        return pa.field(name, self.type, metadata=metadata or None)


_SCALARS: Final = {
    Kind.BOOL: pa.bool_(),
    Kind.INT: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.STRING: pa.string(),
    Kind.TEXT: pa.string(),
}


def layout_of(column: Seen) -> Layout:
    """Return how the values of a column are held."""
    if not _is_text(column) and _is_ambiguous(column):
        return Layout(Kind.TEXT, arguments=column.name == ARGUMENTS)
    return _layout(column)


def column_field(column: Seen) -> pa.Field:
    """Return the Arrow field of a column."""
    made = layout_of(column).field(column.name)
    if column.absent and not column.null:
        return made.with_metadata({**(made.metadata or {}), NULL_KEY: b"absent"})
    return made


def _layout(seen: Seen) -> Layout:
    explicit = seen.depth > 0 and not seen.in_list and seen.null
    if _is_text(seen):
        return Layout(Kind.TEXT, arguments=seen.name == ARGUMENTS)
    if Kind.OBJECT in seen.kinds:
        fields = tuple((key, _layout(child)) for key, child in seen.fields.items())
        return Layout(Kind.OBJECT, fields=fields, null_is_value=explicit)
    if Kind.LIST in seen.kinds and seen.item is not None:
        return Layout(Kind.LIST, item=_layout(seen.item), null_is_value=explicit)
    kind = Kind.FLOAT if Kind.FLOAT in seen.kinds else next(iter(seen.kinds), Kind.STRING)
    return Layout(kind, null_is_value=explicit)


def _is_text(seen: Seen) -> bool:
    """Whether a place is held as JSON text; a list is where its elements would be, an object without keys always."""
    if seen.text or (Kind.OBJECT in seen.kinds and not seen.fields):
        return True
    return Kind.LIST in seen.kinds and seen.item is not None and _is_text(seen.item)


def _is_ambiguous(seen: Seen) -> bool:
    """Whether somewhere in the typed part a null could be a null or an absent key."""
    if _is_text(seen):
        return False
    if seen.depth > 0 and seen.null and seen.absent:
        return True
    inner = [*seen.fields.values(), *([] if seen.item is None else [seen.item])]
    return any(_is_ambiguous(child) for child in inner)
