"""JSON values into Arrow arrays by a layout, and Arrow arrays back into JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sage_select.errors import DataError, Where
from sage_select.io.layout import ABSENT, ARGUMENTS, JSON_TEXT, NULL_KEY, Kind, Layout
from sage_select.io.strict_json import StrictJsonError, decode, encode

__all__ = ["build", "decode_column", "decode_rows", "is_json_text", "retyped"]


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


def retyped(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Return the same values under a type that differs only in the metadata of its fields; copies nothing.

    `array` must begin at offset 0, as `build` makes it.
    """
    if pa.types.is_list(wanted):
        return pa.Array.from_buffers(
            wanted,
            len(array),
            array.buffers()[:2],
            array.null_count,
            children=[retyped(array.values, wanted.value_type)],
        )
    if pa.types.is_struct(wanted):
        children = [retyped(array.field(index), child.type) for index, child in enumerate(wanted)]
        return pa.Array.from_buffers(wanted, len(array), array.buffers()[:1], array.null_count, children=children)
    return array


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
    omitted = {field.name for field in table.schema if (field.metadata or {}).get(NULL_KEY) == b"absent"}
    names = table.schema.names
    for batch in table.to_batches(max_chunksize=4096):
        columns = [decode_column(array, field) for array, field in zip(batch.columns, table.schema, strict=True)]
        for row in zip(*columns, strict=True):
            yield {
                name: value for name, value in zip(names, row, strict=True) if value is not None or name not in omitted
            }


def decode_column(array: pa.Array, field: pa.Field) -> list[Any]:
    """Return the values of an array as JSON values, JSON text as what it spells; a null is None."""
    return [None if value is ABSENT else value for value in _decode(array, field)]


def _decode(array: pa.Array, field: pa.Field) -> list[Any]:
    kind = field.type
    missing = None if (field.metadata or {}).get(NULL_KEY) == b"explicit" else ABSENT
    if is_json_text(field):
        return [missing if text is None else _spelled(text, field.name) for text in array.to_pylist()]
    if pa.types.is_struct(kind):
        children = [_decode(array.field(index), child) for index, child in enumerate(kind)]
        keys = [child.name for child in kind]
        rows = zip(*children, strict=True) if children else iter([()] * len(array))
        return [
            {key: value for key, value in zip(keys, row, strict=True) if value is not ABSENT} if valid else missing
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
