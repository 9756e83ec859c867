"""JSON lines as a table, one value after the other: the plain twin of the Rust reader, which must say the same."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from types import NoneType
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from sage_select.errors import DataError, Where
from sage_select.io.formats.json_faults import line_fault, row_of
from sage_select.io.tables.strict_json import StrictJsonError, decode, encode

__all__ = ["twin"]

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


def build(layout: Layout, values: Sequence[Any], *, column: bool = True) -> pa.Array:
    """Return the values as an Arrow array of `layout.type`.

    Parameters
    ----------
    layout
        How they are held; it must hold all of them.
    values
        JSON values, None, or ABSENT for a key that an object lacks.
    column
        Whether these are the values of a column, where null and absent are one.

    Raises
    ------
    StrictJsonError
        Where a number is not finite.
    """
    if layout.kind is Kind.TEXT:
        missing = None if column else ABSENT  # in an object, a null is a value with a text of its own
        texts = [None if value is ABSENT or value is missing else _text(value, layout.arguments) for value in values]
        return pa.array(texts, pa.string())
    values = [None if value is ABSENT else value for value in values]
    if layout.kind is Kind.LIST and layout.item is not None:
        offsets = list(accumulate((len(value) if value is not None else 0 for value in values), initial=0))
        items = build(
            layout.item, list(chain.from_iterable(value for value in values if value is not None)), column=False
        )
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items, type=layout.type, mask=_nulls(values))
    if layout.kind is Kind.OBJECT:
        children = [
            build(child, [ABSENT if value is None else value.get(name, ABSENT) for value in values], column=False)
            for name, child in layout.fields
        ]
        return pa.StructArray.from_arrays(children, fields=list(layout.type), mask=_nulls(values))
    if layout.kind is Kind.FLOAT:
        values = [float(value) if type(value) is int else value for value in values]
        made = pa.array(values, pa.float64())
        if pc.any(pc.is_inf(made)).as_py():
            raise StrictJsonError("a number is too large for a 64-bit float")
        return made
    return pa.array(values, layout.type)


def _nulls(values: Sequence[Any]) -> pa.Array:
    return pa.array([value is None for value in values], pa.bool_())


def _text(value: Any, arguments: bool) -> str:
    text = encode(_as_object(value) if arguments and type(value) is str else value)
    return encode(_with_objects(value)) if '"arguments":"' in text else text


def _as_object(text: str) -> Any:
    """Return the object that a string of arguments spells, or the string where it spells none."""
    try:
        value = decode(text, wide=True)
        encode(value)
    except StrictJsonError:
        return text
    return value if type(value) is dict else text


def _with_objects(value: Any) -> Any:
    if type(value) is list:
        return [_with_objects(item) for item in value]
    if type(value) is not dict:
        return value
    return {
        key: _as_object(item) if key == ARGUMENTS and type(item) is str else _with_objects(item)
        for key, item in value.items()
    }


#: The label of whole numbers that a 64-bit float cannot hold.
INEXACT: Final = "inexact"
_NUMBERS: Final = frozenset({Kind.INT, Kind.FLOAT})


def holds(label: Kind | str, value: Any) -> bool:
    """Tell whether a value is of the kind, or for `INEXACT` is such a number."""
    if label == INEXACT:
        return type(value) is int and is_inexact(value)
    return KINDS.get(type(value)) is label


def family(kind: Kind) -> Kind:
    """Return the kind that stands for all those that go together in a column."""
    return Kind.FLOAT if kind is Kind.INT else kind


def changed_type(kind: Kind, where: Where, before: Kind, earlier: Where) -> DataError:
    """Return the error for a value of another kind than a column has had so far."""
    return DataError(
        "a column changes its type",
        where=where,
        expected=f"{before.value}, as in {_place(earlier, where)}",
        got=kind.value,
    )


def type_change(first: Mapping[Kind | str, Where]) -> DataError:
    """Return the error for a column whose kinds first appear at the given places, in that order."""
    earlier: list[Kind | str] = []
    for label, where in first.items():
        for before in earlier:
            if {label, before} == {INEXACT, Kind.FLOAT}:
                return DataError(
                    "a column of decimal numbers holds a whole number that a 64-bit float cannot hold exactly",
                    where=where,
                    hint=f"see also {_place(first[before], where)}; give the numbers as strings",
                )
            if isinstance(label, Kind) and isinstance(before, Kind) and not {label, before} <= _NUMBERS:
                return changed_type(label, where, before, first[before])
        earlier.append(label)
    raise AssertionError("the kinds of the column agree")


def _place(where: Where, other: Where) -> str:
    place = f"row {where.row}" if where.line is None else f"line {where.line}"
    return place if where.file == other.file else f"{where.file}, {place}"


def twin(text: bytes, file: str) -> tuple[pa.Table, dict[int, DataError], list[str]] | DataError:
    """Return the table of JSON lines, what is wrong with bad rows, and notices; or why there is no table."""
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    bad: dict[int, DataError] = {}
    for number, line in enumerate(text.split(b"\n"), start=1):
        if not line.strip():
            continue
        where = Where(file=file, row=len(rows), line=number)
        try:
            row = row_of(line.decode())
        except (StrictJsonError, UnicodeDecodeError):
            row = None
        if not isinstance(row, dict) or "" in row:
            bad[len(rows)] = line_fault(line, where)
            row = {}
        rows.append(row)
        lines.append(number)

    def place(index: int, name: str) -> Where:
        return Where(file=file, row=index, line=lines[index], column=name)

    columns = {name: Seen(name) for name in dict.fromkeys(chain.from_iterable(rows))}
    first: dict[str, tuple[Kind, Where]] = {}
    for index, row in enumerate(rows):
        found = {
            name: KINDS[type(value)]
            for name, value in row.items()
            if value is not None and columns[name].refuses_mixture
        }
        for name in columns:
            before, where = first.get(name, (None, None))
            if name in found and before is not None and family(before) != family(found[name]):
                bad[index] = changed_type(found[name], place(index, name), before, where)
                break
        if index not in bad:
            first = {**{name: (kind, place(index, name)) for name, kind in found.items()}, **first}
    refused = []
    for name, seen in columns.items():
        values = {index: row.get(name, ABSENT) for index, row in enumerate(rows) if index not in bad}
        seen.look_at(list(values.values()))
        wanted = seen.kinds | ({INEXACT} if seen.inexact else set())
        labels = sorted(
            (next(index for index, value in values.items() if holds(label, value)), str(label), label)
            for label in wanted
            if any(holds(label, value) for value in values.values())
        )
        if seen.mixed and seen.refuses_mixture:
            refused.append(type_change({label: place(index, name) for index, _, label in labels}))
    if refused:
        return min(refused, key=lambda error: error.where.row)
    arrays = {}
    late = True
    while late:
        late = False
        for name, seen in columns.items():
            values = [None if index in bad else row.get(name, ABSENT) for index, row in enumerate(rows)]
            layout = layout_of(seen)
            for index, value in enumerate(values):
                try:
                    build(layout, [value])
                except StrictJsonError as error:
                    bad[index], late = DataError(error.message, where=place(index, name)), True
            if late:
                break
            arrays[name] = build(layout, values)
    if rows and not columns:
        return DataError("the rows have no keys", where=file)
    fields = [column_field(seen) for seen in columns.values()]
    table = pa.table([retyped(arrays[field.name], field.type) for field in fields], schema=pa.schema(fields))
    notices = [
        f"column {name!r} is null in some rows and missing in others; both are held as null"
        for name, seen in columns.items()
        if seen.null and seen.absent
    ]
    return table, bad, notices


def retyped(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Return the same values under a type that differs in metadata."""
    return pa.array(array.to_pylist(), wanted)
