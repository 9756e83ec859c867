"""Tables of several files as one: columns of types that differ are widened where no value is lost."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from sage_select.errors import DataError, Where
from sage_select.io.tables.nested import JSON_TEXT, decode_column, is_json_text
from sage_select.io.tables.strict_json import encode

__all__ = ["differing_columns", "merged"]


def merged(tables: Sequence[tuple[str, pa.Table]], *, apart: bool = False) -> tuple[pa.Table, list[str]]:
    """Return the rows of all tables, in order, as one table, and notices.

    Whole numbers, and decimal ones, of several widths take the widest; a column that is null throughout takes the type
    of the others; objects in lists have the keys of all; what is JSON text in one table is so in all. A column that a
    table lacks is null in its rows, and that is told.

    Parameters
    ----------
    tables
        Names for messages, and tables.
    apart
        Whether they were never meant to be alike, so that each may have columns of its own.

    Raises
    ------
    DataError
        Where a table lacks a column of those before and has another besides, which is rather a column by another name
        (unless they are `apart`); or a column has types that no type holds without loss.
    """
    first_name, first = tables[0]
    fields = {field.name: (field, first_name) for field in first.schema}
    notices = []
    for name, table in tables[1:]:
        names = set(table.schema.names)
        if not apart and fields.keys() - names and names - fields.keys():
            raise differing_columns(name, names, first_name, set(fields))
        for field in table.schema:
            before, where = fields.get(field.name, (field, name))
            common = _common(before, field)
            if common is None:
                raise DataError(
                    "rows read together have a column of different types",
                    where=Where(file=name, column=field.name),
                    expected=f"{before.type}, as in {where}",
                    got=str(field.type),
                )
            fields[field.name] = (common, where)
    for name, table in tables:
        if lacking := [column for column in fields if column not in table.schema.names]:
            notices.append(f"{name} lacks the column{'s' * (len(lacking) > 1)} {', '.join(lacking)}: null in its rows")
    wanted = [field for field, _ in fields.values()]
    return pa.concat_tables([_cast(table, wanted) for _, table in tables]), notices


def differing_columns(file: str, names: set[str], first_file: str, first: set[str]) -> DataError:
    """Return the error for files, read as one, whose columns are not the same."""
    lacking, more = sorted(first - names), sorted(names - first)
    said = [f"lacks {', '.join(lacking)}"] if lacking else []
    said += [f"has {', '.join(more)} besides"] if more else []
    return DataError(
        "files read together have different columns", where=file, got=f"{'; '.join(said)}, unlike {first_file}"
    )


def _common(one: pa.Field, other: pa.Field) -> pa.Field | None:
    """Return the field that holds the values of both, or None."""
    if one.equals(other, check_metadata=True):
        return one
    if is_json_text(one) or is_json_text(other):
        return pa.field(one.name, pa.string(), metadata=JSON_TEXT)
    kind = _common_type(one.type, other.type)
    metadata = one.metadata if one.metadata == other.metadata else None
    return None if kind is None else pa.field(one.name, kind, metadata=metadata)


def _common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    types = pa.types
    if one.equals(other):
        return one
    if types.is_null(one) or types.is_null(other):
        return other if types.is_null(one) else one
    if types.is_integer(one) and types.is_integer(other):
        if types.is_signed_integer(one) == types.is_signed_integer(other):
            return max(one, other, key=lambda kind: kind.bit_width)
        return None if pa.uint64() in (one, other) else pa.int64()
    if types.is_floating(one) and types.is_floating(other):
        return max(one, other, key=lambda kind: kind.bit_width)
    if _is_list(one) and _is_list(other):
        item = _common(one.value_field.with_name("item"), other.value_field.with_name("item"))
        return None if item is None else pa.list_(item)
    if types.is_struct(one) and types.is_struct(other):
        members = {field.name: field for field in one}
        for field in other:
            made = _common(members.get(field.name, field), field)
            if made is None:
                return None
            members[field.name] = made
        return pa.struct(list(members.values()))
    return None


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind))


def _cast(table: pa.Table, fields: list[pa.Field]) -> pa.Table:
    columns = []
    for field in fields:
        if field.name not in table.schema.names:
            columns.append(pa.chunked_array([pa.nulls(table.num_rows, field.type)], field.type))
            continue
        own, column = table.schema.field(field.name), table.column(field.name)
        columns.append(pa.chunked_array([_cast_array(chunk, own, field) for chunk in column.chunks], field.type))
    return pa.table(columns, schema=pa.schema(fields))


def _cast_array(array: pa.Array, own: pa.Field, wanted: pa.Field) -> pa.Array:
    if own.equals(wanted, check_metadata=True):
        return array
    if is_json_text(wanted) and not is_json_text(own):
        values = decode_column(array, own)
        return pa.array([None if value is None else encode(value) for value in values], pa.string())
    kind = wanted.type
    if pa.types.is_null(own.type):
        return pa.nulls(len(array), kind)
    if pa.types.is_list(kind):
        lists = array.cast(pa.list_(own.type.value_field)) if pa.types.is_fixed_size_list(own.type) else array
        first, last = lists.offsets[0].as_py(), lists.offsets[-1].as_py()
        offsets = pa.array([value - first for value in lists.offsets.to_pylist()], pa.int32())
        items = _cast_array(lists.values.slice(first, last - first), own.type.value_field, kind.value_field)
        return pa.ListArray.from_arrays(offsets, items, type=kind, mask=lists.is_null() if lists.null_count else None)
    if pa.types.is_struct(kind):
        places = {field.name: index for index, field in enumerate(own.type)}
        members = array.flatten()
        children = [
            _cast_array(members[places[field.name]], own.type.field(places[field.name]), field)
            if field.name in places
            else pa.nulls(len(array), field.type)
            for field in kind
        ]
        mask = array.is_null() if array.null_count else None
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=mask)
    return array.cast(kind)
