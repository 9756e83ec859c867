"""Columns by name, and what lies within objects by its path: `scores.helpfulness`."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from sage_select.errors import DataError, UsageError, nearest
from sage_select.io.tables.nested import decode_column, is_json_text
from sage_select.io.tables.rows import Rows

__all__ = ["fields_within", "value_column"]

_SHOWN_NAMES: Final = 30
#: Rows of JSON text that are read at a time.
_STEP: Final = 4096


def value_column(rows: Rows, path: str) -> pa.ChunkedArray:
    """Return the column of this name, or what lies at a dotted path within one of objects.

    A name that a column has is that column, whatever dots are in it. Objects are Arrow structs, or JSON text where
    their keys vary by row: then a row that lacks a key has null, and numbers are float64, exact up to 2**53.

    Raises
    ------
    UsageError
        Where there is no such column, or no such field in it, listing what there is and the nearest name.
    DataError
        Where the values within JSON text are not of one kind; naming the row.
    """
    schema = rows.table.schema
    if path in schema.names:
        return rows.table.column(path)
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        name, within = ".".join(parts[:count]), parts[count:]
        if name in schema.names:
            column, field = rows.table.column(name), schema.field(name)
            return (
                _in_json(rows, path, column, field, within)
                if is_json_text(field)
                else _in_struct(rows, name, column, within)
            )
    raise _missing(rows, path, "column", schema.names)


def fields_within(kind: pa.DataType) -> list[str]:
    """Return the paths of the numbers within a struct, without its own name.

    Examples
    --------
    >>> fields_within(pa.struct({"a": pa.int64(), "b": pa.struct({"c": pa.float32()}), "d": pa.string()}))
    ['a', 'b.c']
    """
    if not pa.types.is_struct(kind):
        return []
    found = []
    for field in kind:
        if pa.types.is_struct(field.type):
            found += [f"{field.name}.{inner}" for inner in fields_within(field.type)]
        elif pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type):
            found.append(field.name)
    return found


def _in_struct(rows: Rows, name: str, column: pa.ChunkedArray, within: list[str]) -> pa.ChunkedArray:
    """Return what lies at a path within a column of structs; null where an object on the way is."""
    while within:
        kind = column.type
        if not pa.types.is_struct(kind):
            raise DataError(
                f"{name} holds no objects, so that {'.'.join(within)} cannot be found in it",
                where=rows.where(0, name),
                expected="objects",
                got=str(kind),
            )
        fields = [field.name for field in kind]
        # A key may have dots as well: the longest that there is.
        count = next((n for n in range(len(within), 0, -1) if ".".join(within[:n]) in fields), 0)
        if not count:
            raise _missing(rows, f"{name}.{within[0]}", "field", [f"{name}.{field}" for field in fields])
        key, within = ".".join(within[:count]), within[count:]
        chunks = [pc.struct_field(chunk, fields.index(key)) for chunk in column.chunks]
        column, name = pa.chunked_array(chunks, kind.field(fields.index(key)).type), f"{name}.{key}"
    return column


def _in_json(rows: Rows, path: str, column: pa.ChunkedArray, field: pa.Field, within: list[str]) -> pa.ChunkedArray:
    """Return what lies at a path within a column of JSON text: numbers as float64, or texts."""
    keys: dict[str, None] = {}
    values: list[Any] = []
    for first in range(0, len(column), _STEP):
        for one in decode_column(column.slice(first, _STEP).combine_chunks(), field):
            if isinstance(one, dict):
                keys |= dict.fromkeys(one)
            values.append(_walked(one, within))
    if all(value is None for value in values):
        if ".".join(within) not in keys and within[0] not in keys:
            raise _missing(rows, path, "field", [f"{field.name}.{key}" for key in keys])
        return pa.chunked_array([pa.nulls(len(values), pa.float64())])
    text = next(isinstance(value, str) for value in values if value is not None)
    wanted = str if text else (int, float)
    for row, value in enumerate(values):
        if value is not None and (isinstance(value, bool) or not isinstance(value, wanted)):
            raise DataError(
                "a value is not a number",
                where=rows.where(row, path),
                expected="a text, as in the rows before" if text else "a number",
                got=repr(value)[:80],
            )
    if text:
        return pa.chunked_array([pa.array(values, pa.string())])
    return pa.chunked_array([pa.array([None if value is None else float(value) for value in values], pa.float64())])


def _walked(value: Any, within: list[str]) -> Any:
    """Return what lies at a path within a value; None where nothing does."""
    if not within:
        return value
    if not isinstance(value, dict):
        return None
    for count in range(len(within), 0, -1):
        if (key := ".".join(within[:count])) in value:
            return _walked(value[key], within[count:])
    return None


def _missing(rows: Rows, path: str, kind: str, names: list[str]) -> UsageError:
    shown = ", ".join(names[:_SHOWN_NAMES]) + (", ..." if len(names) > _SHOWN_NAMES else "")
    return UsageError(
        f"there is no {kind} {path!r}", where=rows.source, expected=f"one of {shown}", hint=nearest(path, names)
    )
