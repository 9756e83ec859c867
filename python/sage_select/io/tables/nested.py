"""Arrow arrays as the JSON values that they hold."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from sage_select.errors import DataError, Where
from sage_select.io.tables.strict_json import StrictJsonError, decode

__all__ = ["JSON_TEXT", "decode_column", "decode_rows", "is_json_text"]

#: Field metadata of a string that holds JSON text.
JSON_TEXT: Final = {b"sage.json": b"1"}
#: Field metadata that says what a null is where the default (in structs: absent, in columns: null) is wrong.
_NULL_KEY: Final = b"sage.null"


class _Absent(enum.Enum):
    """A key that an object does not have, unlike one that is null."""

    ABSENT = 0


_ABSENT: Final = _Absent.ABSENT


def is_json_text(field: pa.Field) -> bool:
    """Tell whether a field is a string that holds JSON text."""
    metadata = field.metadata or {}
    return pa.types.is_string(field.type) and JSON_TEXT.items() <= metadata.items()


def decode_rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield each row as the object that a JSON line of it would hold.

    JSON text becomes the value it spells; dates, times (ISO 8601) and decimals become text, of which JSON
    has nothing better. Keys that were absent in the input stay absent; in a struct without any mark a null
    is an absent key.

    Raises
    ------
    DataError
        Where a field marked as JSON text does not hold any.
    """
    omitted = {field.name for field in table.schema if (field.metadata or {}).get(_NULL_KEY) == b"absent"}
    names = table.schema.names
    for batch in table.to_batches(max_chunksize=4096):
        columns = [decode_column(array, field) for array, field in zip(batch.columns, table.schema, strict=True)]
        for row in zip(*columns, strict=True):
            yield {
                name: value for name, value in zip(names, row, strict=True) if value is not None or name not in omitted
            }


def decode_column(array: pa.Array, field: pa.Field) -> list[Any]:
    """Return the values of an array as JSON values, JSON text as what it spells; a null is None."""
    return [None if value is _ABSENT else value for value in _decode(array, field)]


def _decode(array: pa.Array, field: pa.Field) -> list[Any]:
    kind = field.type
    missing = None if (field.metadata or {}).get(_NULL_KEY) == b"explicit" else _ABSENT
    if is_json_text(field):
        return [missing if text is None else _spelled(text, field.name) for text in array.to_pylist()]
    if pa.types.is_struct(kind):
        children = [_decode(array.field(index), child) for index, child in enumerate(kind)]
        keys = [child.name for child in kind]
        rows = zip(*children, strict=True) if children else iter([()] * len(array))
        return [
            {key: value for key, value in zip(keys, row, strict=True) if value is not _ABSENT} if valid else missing
            for row, valid in zip(rows, array.is_valid().to_pylist(), strict=True)
        ]
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        items = iter(decode_column(array.flatten(), kind.value_field))
        lengths = pc.list_value_length(array).to_pylist()
        return [missing if length is None else list(islice(items, length)) for length in lengths]
    return [missing if value is None else value for value in _plain_values(array, field.name)]


def _plain_values(array: pa.Array, name: str) -> list[Any]:
    """Return values without parts; dates, times and decimals as text, as JSON has no word for them."""
    kind = array.type
    try:
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind):
            array = pc.replace_substring(array.cast(pa.string()), " ", "T", max_replacements=1)
            if pc.any(pc.match_substring(array, "out of range")).as_py():
                raise OverflowError("out of range")
        elif pa.types.is_decimal(kind):
            array = array.cast(pa.string())
        return list(array.to_pylist())
    except (pa.ArrowException, OverflowError, ValueError) as error:
        raise DataError(f"a value of type {kind} has no Python form: {error}", where=Where(column=name)) from None


def _spelled(text: str, name: str) -> Any:
    try:
        return decode(text, wide=True)
    except StrictJsonError as error:
        raise DataError(
            f"a value marked as JSON text is not JSON: {error.message}", where=Where(column=name), got=text[:80]
        ) from None
