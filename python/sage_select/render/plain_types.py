"""Columns as the kernels take them: values for which JSON has no word, dates and decimals say, as text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sage_select.errors import DataError, Where
from sage_select.render.values import drop_nulls, is_list_type, is_text_type, python_values, try_json

__all__ = ["decoded", "with_json"]

#: Field metadata of a string that is the canonical JSON of a value.
_WRITTEN: Final = {b"sage.written": b"1"}
#: Names under which objects are usually held as JSON text, as the kernels have them.
_OBJECTS: Final = frozenset(("tools", "arguments", "messages", "conversations"))


def decoded(table: pa.Table) -> pa.Table:
    """Return the table with the values of dictionaries in place of these."""
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            plain = field.with_type(field.type.value_type)
            table = table.set_column(index, plain, table.column(index).cast(plain.type))
    return table


def with_json(table: pa.Table, where: Callable[[int], Where]) -> pa.Table:
    """Return the table with canonical JSON, in fields that say so, in place of values that the kernels do not know.

    Raises
    ------
    DataError
        A value has no JSON (bytes).
    """
    table = decoded(table)
    for index, field in enumerate(table.schema):
        if not _is_known(field.type):
            wanted = _known_field(field)
            chunks, row = [], 0
            for chunk in table.column(index).chunks:
                chunks.append(_written(chunk, field, row, where))
                row += len(chunk)
            table = table.set_column(index, wanted, pa.chunked_array(chunks, wanted.type))
    return table


def _is_known(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return bool(kind.extension_name == "arrow.json")
    types = pa.types
    if types.is_struct(kind) or is_list_type(kind):
        return all(_is_known(kind.field(index).type) for index in range(kind.num_fields))
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_null(kind)
    return bool(number or (is_text_type(kind) and not types.is_dictionary(kind)))


def _known_field(field: pa.Field) -> pa.Field:
    kind = field.type
    if _is_known(kind):
        return field
    if pa.types.is_struct(kind):
        return field.with_type(pa.struct([_known_field(member) for member in kind]))
    if is_list_type(kind):
        return field.with_type(pa.list_(_known_field(kind.value_field)))
    return pa.field(field.name, pa.string(), metadata=_WRITTEN)


def _written(array: pa.Array, field: pa.Field, first: int, where: Callable[[int], Where]) -> pa.Array:
    """Return a column by its known field; where a value has no JSON, name the first such row, counted from `first`."""
    try:
        return _known(array, field, field.name)
    except (TypeError, ValueError, RecursionError) as error:
        if len(array) == 1:
            raise DataError(f"the row cannot be written as JSON: {error}", where=where(first)) from None
    half = len(array) // 2
    parts = [
        _written(array.slice(0, half), field, first, where),
        _written(array.slice(half), field, first + half, where),
    ]
    return pa.concat_arrays(parts)


def _known(array: pa.Array, field: pa.Field, name: str) -> pa.Array:
    """Return the values by their known field; `name` is that of the nearest member above."""
    kind, wanted = field.type, _known_field(field)
    if _is_known(kind):
        return array
    mask = array.is_null() if array.null_count else None
    if pa.types.is_struct(kind):
        members = [_known(member, own, own.name) for member, own in zip(array.flatten(), kind, strict=True)]
        return pa.StructArray.from_arrays(members, fields=list(wanted.type), mask=mask)
    if is_list_type(kind):
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
        items = _known(array.flatten(), kind.value_field, name)
        return pa.ListArray.from_arrays(pa.array(offsets), items, type=wanted.type, mask=mask)
    texts = [None if value is None else _dump(_canonical(drop_nulls(value), name)) for value in python_values(array)]
    return pa.array(texts, pa.string())


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_as_text)


def _as_text(value: Any) -> str:
    """Return dates, times and decimals as text."""
    if isinstance(value, bytes | bytearray):
        raise TypeError("bytes have no JSON")
    return str(value)


def _canonical(value: Any, name: str) -> Any:
    """Return the value of a map with null members left out, whole numbers whole, and text as the kernels have it."""
    if isinstance(value, dict):
        return {key: _canonical(member, key) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_canonical(member, name) for member in value]
    if isinstance(value, str) and name in _OBJECTS:
        read = try_json(value)
        return value if read is value else _canonical(read, "")
    return int(value) if isinstance(value, float) and value.is_integer() else value
