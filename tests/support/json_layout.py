"""How the values of one place are held in Arrow: the plain twin of the layouts of the Rust reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from tests.support.json_kinds import ABSENT, ARGUMENTS, Kind, Observed

from sage_select.io.tables.strict_json import StrictJsonError, decode, encode

__all__ = ["Layout", "build", "column_field", "layout_of"]

#: Field metadata of a string that holds JSON text.
JSON_TEXT: Final = {b"sage.json": b"1"}
#: Field metadata that says what a null is where the default (in structs: absent, in columns: null) is wrong.
NULL_KEY: Final = b"sage.null"


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


def layout_of(column: Observed) -> Layout:
    """Return how the values of a column are held."""
    if not _is_text(column) and _is_ambiguous(column):
        return Layout(Kind.TEXT, arguments=column.name == ARGUMENTS)
    return _layout(column)


def column_field(column: Observed) -> pa.Field:
    """Return the Arrow field of a column."""
    made = layout_of(column).field(column.name)
    if column.absent and not column.null:
        return made.with_metadata({**(made.metadata or {}), NULL_KEY: b"absent"})
    return made


def _layout(seen: Observed) -> Layout:
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


def _is_text(seen: Observed) -> bool:
    """Whether a place is held as JSON text; a list is where its elements would be, an object without keys always."""
    if seen.text or (Kind.OBJECT in seen.kinds and not seen.fields):
        return True
    return Kind.LIST in seen.kinds and seen.item is not None and _is_text(seen.item)


def _is_ambiguous(seen: Observed) -> bool:
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
