"""Arrow types that every reader keeps: `string`, `list`, `struct`, and nothing that only some know.

Views, large types, dictionaries, run-end encoding and extension types become the plain type they stand for;
the values stay as they are. Dates and times that Python, and most formats, cannot hold are refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from sage_select.errors import DataError, Where
from sage_select.io.tables.nested import JSON_TEXT

__all__ = ["normalise"]

#: Bytes that the 32-bit offsets of a `string` or `list` can count.
_OFFSET_LIMIT: Final = 2**31
_DAY: Final = 86_400
#: The first second of the year 1, and the last of the year 9999.
_FIRST: Final = -62_135_596_800
_LAST: Final = 253_402_300_799
#: What `datetime.timedelta` holds, in seconds.
_LONGEST: Final = 999_999_999 * _DAY
_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def normalise(table: pa.Table, source: str) -> pa.Table:
    """Return the table in plain types, without metadata other than ours.

    Raises
    ------
    DataError
        Where two columns have one name, a name is empty, a value is too large for its plain type, or a date or time is
        beyond the years 1 to 9999.
    """
    _check_names(table.schema.names, source)
    fields, columns = [], []
    for field, column in zip(table.schema, table.columns, strict=True):
        where = Where(file=source, column=field.name)
        _check_type(field.type, where)
        made = _plain_field(field)
        if _has_lists_of_size_0(made.type):
            raise DataError("a column holds lists of the fixed size 0", where=where)
        fields.append(made)
        columns.append(_converted(column, made.type, where))
        _refuse_times_out_of_range(columns[-1], where)
    return pa.table(columns, schema=pa.schema(fields))


def _check_names(names: list[str], source: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"two columns have the name {twice[0]!r}", where=source)
    if "" in names:
        raise DataError(f"column number {names.index('') + 1} has no name", where=source)


def _check_type(kind: pa.DataType, where: Where) -> None:
    """Refuse types whose values no format but Arrow holds, and structs that name a field twice."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_interval(kind) or pa.types.is_union(kind):
        raise DataError(
            "a column's type cannot be read", where=where, got=str(kind), hint="cast it to text, or leave it out"
        )
    if pa.types.is_struct(kind):
        twice = [name for name, count in Counter(field.name for field in kind).items() if count > 1]
        if twice:
            raise DataError(f"a struct has the field {twice[0]!r} twice", where=where)
    for index in range(kind.num_fields):
        _check_type(kind.field(index).type, where)


def _has_lists_of_size_0(kind: pa.DataType) -> bool:
    """Whether a type would make Arrow divide by zero, which ends the process."""
    if pa.types.is_fixed_size_list(kind) and kind.list_size < 1:
        return True
    return any(_has_lists_of_size_0(kind.field(index).type) for index in range(kind.num_fields))


def _plain_field(field: pa.Field) -> pa.Field:
    metadata = {key: value for key, value in (field.metadata or {}).items() if key.startswith(b"sage.")}
    if _is_arrow_json(field.type) or (pa.types.is_struct(field.type) and field.type.num_fields == 0):
        metadata.update(JSON_TEXT)
    return pa.field(field.name, _plain_type(field.type), nullable=field.nullable, metadata=metadata or None)


def _is_arrow_json(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType) and kind.extension_name == "arrow.json"


def _plain_type(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_struct(kind) and kind.num_fields == 0:
        return pa.string()
    if isinstance(kind, pa.BaseExtensionType):
        return _plain_type(kind.storage_type)
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _plain_type(kind.value_type)
    if types.is_large_string(kind) or types.is_string_view(kind):
        return pa.string()
    if types.is_large_binary(kind) or types.is_binary_view(kind):
        return pa.binary()
    if types.is_list(kind) or types.is_large_list(kind) or types.is_list_view(kind) or types.is_large_list_view(kind):
        return pa.list_(_plain_field(kind.value_field).with_name("item"))
    if types.is_fixed_size_list(kind):
        return pa.list_(_plain_field(kind.value_field).with_name("item"), kind.list_size)
    if types.is_struct(kind):
        return pa.struct([_plain_field(field) for field in kind])
    if types.is_map(kind):
        return pa.map_(_plain_type(kind.key_type), _plain_type(kind.item_type))
    return kind


def _converted(column: pa.ChunkedArray, wanted: pa.DataType, where: Where) -> pa.ChunkedArray:
    if column.type.equals(wanted, check_metadata=True):
        return column
    chunks = [part for chunk in column.chunks for part in _cast(chunk, wanted, where)]
    return pa.chunked_array(chunks, wanted)


def _cast(array: pa.Array, wanted: pa.DataType, where: Where) -> list[pa.Array]:
    """Cast an array, halving it where its bytes are too many for 32-bit offsets."""
    try:
        return [_plain(array, wanted)]
    except pa.ArrowException as error:
        too_long = array.nbytes >= _OFFSET_LIMIT or pa.types.is_dictionary(array.type)
        if len(array) > 1 and too_long:
            half = len(array) // 2
            return [*_cast(array.slice(0, half), wanted, where), *_cast(array.slice(half), wanted, where)]
        raise DataError(
            "a column's type cannot be read",
            where=where,
            expected=str(wanted),
            got=f"{array.type} ({_first_line(error)})",
        ) from None


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def _plain(array: Any, wanted: pa.DataType) -> pa.Array:
    """Convert an array; lists and structs by hand, as Arrow's own cast of list views is not right."""
    if isinstance(array, pa.ExtensionArray):
        return _plain(array.storage, wanted)
    if pa.types.is_run_end_encoded(array.type):
        return _plain(pc.run_end_decode(array), wanted)
    if pa.types.is_dictionary(array.type):
        return _plain(array.dictionary, wanted).take(array.indices)
    if pa.types.is_struct(array.type) and array.type.num_fields == 0:
        return pc.if_else(array.is_valid(), "{}", pa.scalar(None, pa.string()))
    if pa.types.is_list(wanted):
        lengths = pc.fill_null(pc.list_value_length(array), 0).cast(pa.int64())
        offsets = pc.cumulative_sum(pa.concat_arrays([pa.array([0], pa.int64()), lengths])).cast(pa.int32())
        items = _plain(array.flatten(), wanted.value_type)
        return pa.ListArray.from_arrays(offsets, items, type=wanted, mask=array.is_null())
    if pa.types.is_struct(wanted):
        children = [_plain(array.field(index), child.type) for index, child in enumerate(wanted)]
        return pa.StructArray.from_arrays(children, fields=list(wanted), mask=array.is_null())
    return array.cast(wanted)


def _refuse_times_out_of_range(column: pa.ChunkedArray, where: Where) -> None:
    """Refuse a column, of plain types, that holds a date, time or duration which no Python object can hold.

    Raises
    ------
    DataError
        Where there is one: before the year 1, after the year 9999, no time of a day, too long.
    """
    for chunk in column.chunks:
        for values, least, most in _times(chunk):
            found = pc.min_max(values)
            for end in (found["min"], found["max"]):
                if end.is_valid and not least <= end.as_py() <= most:
                    raise DataError(
                        "a date or time is out of range",
                        where=where,
                        expected="the years 1 to 9999, times of a day, durations below a billion days",
                        got=f"{chunk.type} with the number {end.as_py()}",
                        hint="make it null, cast the column to text, or leave it out",
                    )


def _times(array: Any) -> Iterator[tuple[pa.Array, int, int]]:
    """Yield the numbers behind the times of an array, nested ones too, and their least and greatest."""
    kind, types = array.type, pa.types
    if types.is_timestamp(kind):
        yield array.view(pa.int64()), _FIRST * _PER_SECOND[kind.unit], (_LAST + 1) * _PER_SECOND[kind.unit] - 1
    elif types.is_duration(kind):
        yield array.view(pa.int64()), -_LONGEST * _PER_SECOND[kind.unit], _LONGEST * _PER_SECOND[kind.unit]
    elif types.is_time(kind):
        numbers = array.view(pa.int32() if types.is_time32(kind) else pa.int64())
        yield numbers, 0, _DAY * _PER_SECOND[kind.unit] - 1
    elif types.is_date32(kind):
        yield array.view(pa.int32()), _FIRST // _DAY, _LAST // _DAY
    elif types.is_date64(kind):
        yield array.view(pa.int64()), _FIRST * 1000, _LAST * 1000 + 999
    elif types.is_struct(kind):
        for child in array.flatten():
            yield from _times(child)
    elif types.is_map(kind):
        yield from _times(array.keys)
        yield from _times(array.items)
    elif types.is_list(kind) or types.is_fixed_size_list(kind):
        yield from _times(array.flatten())
