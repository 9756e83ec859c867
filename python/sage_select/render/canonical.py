"""The canonical JSON of a row, from which its id is made.

The same row gives the same text whether it came from JSONL, Parquet or memory: members are sorted, null members and
absent ones are the same, objects held as JSON text (marked fields, and `tools`, `arguments`, `messages` and
`conversations` by name) are written as objects, and a whole number is written without a fraction.

The text is built column by column, from the leaves up, so that only JSON text and rare types go through Python.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sage_select.errors import DataError, Where
from sage_select.render.values import drop_nulls, is_list_type, is_marked, is_text_type, python_values, try_json

__all__ = ["canonical_json"]

_BATCH_ROWS = 4096
#: Names under which objects are usually held as JSON text.
_OBJECTS = frozenset(("tools", "arguments", "messages", "conversations"))
#: What JSON escapes, in the order in which to replace it; other control characters are rare and go through Python.
_ESCAPES = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))
_RARE = "[\x01-\x08\x0b\x0c\x0e-\x1f]"
_quoted = json.JSONEncoder(ensure_ascii=False).encode


def canonical_json(
    table: pa.Table, columns: Sequence[str], *, where: Callable[[int], Where] | None = None
) -> pa.ChunkedArray:
    """Return one JSON object a row, of `columns` only (`string`, no nulls).

    Parameters
    ----------
    table, columns
        The rows, and the columns that make them what they are.
    where
        Row number -> its place, for messages.

    Raises
    ------
    DataError
        A field marked as JSON text holds other text, or a value has no JSON (bytes).
    """
    names = sorted(dict.fromkeys(columns))
    fields = [table.schema.field(name) for name in names]
    chunks = []
    row = 0
    for batch in table.select(names).to_batches(max_chunksize=_BATCH_ROWS):
        chunks.append(_rows(batch.columns, fields, row, where or (lambda row: Where(row=row))))
        row += batch.num_rows
    return pa.chunked_array(chunks, type=pa.string())


def _rows(
    arrays: Sequence[pa.Array], fields: Sequence[pa.Field], first: int, where: Callable[[int], Where]
) -> pa.Array:
    """Return the objects of some rows; where they have none, name the first such row, counted from `first`."""
    try:
        return _object(arrays, fields, len(arrays[0]))
    except (TypeError, ValueError, RecursionError) as error:
        if len(arrays[0]) == 1:
            raise DataError(f"the row cannot be written as JSON: {error}", where=where(first)) from None
    return pa.concat_arrays(
        [_rows([array.slice(row, 1) for array in arrays], fields, first + row, where) for row in range(len(arrays[0]))]
    )


def _object(arrays: Sequence[pa.Array], fields: Sequence[pa.Field], count: int) -> pa.Array:
    """Return the objects whose members are `arrays`; the fields come sorted by name."""
    members = pa.array([""] * count, pa.string())
    for field, array in zip(fields, arrays, strict=True):
        member = pc.binary_join_element_wise(f",{_quoted(field.name)}:", _written(array, field, field.name), "")
        members = pc.binary_join_element_wise(members, pc.fill_null(member, ""), "")
    return pc.binary_join_element_wise("{", pc.utf8_slice_codeunits(members, 1), "}", "")


def _written(array: pa.Array, field: pa.Field, name: str) -> pa.Array:
    """Return the JSON of each value, null where the value is null; `name` is that of the nearest member above."""
    kind = field.type
    if is_marked(field):
        texts = array.storage if isinstance(array, pa.ExtensionArray) else array
        return _each(texts.to_pylist(), lambda text: _object_text(text, name, strict=True))
    if is_text_type(kind):
        if name in _OBJECTS:
            return _each(array.to_pylist(), lambda text: _object_text(text, name, strict=False))
        return pc.binary_join_element_wise('"', _escaped(pc.cast(array, pa.string())), '"', "")
    if pa.types.is_integer(kind):
        return pc.cast(array, pa.string())
    if pa.types.is_struct(kind):
        fields = list(kind)
        order = sorted(range(len(fields)), key=lambda index: fields[index].name)
        members = array.flatten()
        objects = _object([members[index] for index in order], [fields[index] for index in order], len(array))
        return pc.if_else(array.is_valid(), objects, None)
    if is_list_type(kind):
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        items = pc.fill_null(_written(array.flatten(), kind.value_field, name), "null")
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
        joined = pc.binary_join(pa.ListArray.from_arrays(offsets, items), ",")
        return pc.if_else(array.is_valid(), pc.binary_join_element_wise("[", joined, "]", ""), None)
    return _each(python_values(array), lambda value: _dump(_canonical(drop_nulls(value), name)))


def _each(values: list[Any], write: Any) -> pa.Array:
    return pa.array([None if value is None else write(value) for value in values], pa.string())


def _escaped(texts: pa.Array) -> pa.Array:
    """Return the texts as the inside of JSON strings."""
    rare = pc.fill_null(pc.or_(pc.match_substring_regex(texts, _RARE), pc.match_substring(texts, "\x00")), False)
    done = texts
    for raw, escape in _ESCAPES:
        done = pc.replace_substring(done, raw, escape)
    if pc.any(rare).as_py():
        slow = [_quoted(text)[1:-1] for text in texts.filter(rare).to_pylist()]
        done = pc.replace_with_mask(done, rare, pa.array(slow, pa.string()))
    return done


@lru_cache(maxsize=1024)
def _object_text(text: str, name: str, *, strict: bool) -> str | None:
    """Return the canonical JSON of a value held as text (rows often share their tools); a null is an absent member."""
    value = json.loads(text) if strict else text
    return None if value is None else _dump(_canonical(value, name))


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_as_text)


def _as_text(value: Any) -> str:
    """Return dates, times and decimals as text."""
    if isinstance(value, bytes | bytearray):
        raise TypeError("bytes have no JSON")
    return str(value)


def _canonical(value: Any, name: str) -> Any:
    """Return `value` with null members left out, JSON text read and whole numbers whole."""
    if isinstance(value, dict):
        return {key: _canonical(member, key) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_canonical(member, name) for member in value]
    if isinstance(value, str) and name in _OBJECTS:
        read = try_json(value)
        return value if read is value else _canonical(read, "")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
