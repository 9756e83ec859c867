"""How a row begins, by which a person knows it again."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from sage_select.errors import DataError
from sage_select.render.shape import Shape
from sage_select.render.text import plain_texts
from sage_select.render.values import is_list_type

__all__ = ["first_words"]

_BATCH_ROWS: Final = 4096
#: Messages of a conversation that are looked at: a system turn, which says the same in every row, and the first other.
_MESSAGES: Final = 2
#: Characters, and how many of the text are looked at, since white space is told as one space.
_LENGTH: Final = 80
_LOOKED_AT: Final = 400


def first_words(table: pa.Table, shape: Shape) -> pa.ChunkedArray:
    r"""Return the first 80 characters of the words of each row, white space as single spaces.

    Null where a row cannot be read.

    Examples
    --------
    >>> from sage_select.render.shape import detect_shape
    >>> table = pa.table({"text": [" a\n b", ""]})
    >>> first_words(table, detect_shape(table.schema)).to_pylist()
    ['a b', '']
    """
    chunks = []
    columns = [name for name in dict.fromkeys(shape.columns) if name != shape.fields.get("tools")]
    for batch in table.select(columns).to_batches(max_chunksize=_BATCH_ROWS):
        short = {name: _short(batch.column(name)) for name in columns}
        fields = [batch.schema.field(name).with_type(column.type) for name, column in short.items()]
        rows = pa.Table.from_arrays(list(short.values()), schema=pa.schema(fields))
        texts = _readable(rows, _without_tools(shape, columns))
        texts = pc.utf8_slice_codeunits(texts, 0, _LOOKED_AT)
        texts = pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, r"\s+", " "))
        chunks.append(pc.utf8_slice_codeunits(texts, 0, _LENGTH))
    return pa.chunked_array(chunks, type=pa.string())


def _readable(rows: pa.Table, shape: Shape) -> pa.Array:
    """Return the words of each row, null where it cannot be read: halves are read apart until it is alone."""
    try:
        return plain_texts(rows, shape).combine_chunks()
    except DataError:
        if rows.num_rows == 1:
            return pa.nulls(1, pa.string())
    half = rows.num_rows // 2
    return pa.concat_arrays([_readable(rows.slice(0, half), shape), _readable(rows.slice(half), shape)])


def _without_tools(shape: Shape, columns: list[str]) -> Shape:
    fields = {part: name for part, name in shape.fields.items() if name in columns}
    paths = tuple(path for path in shape.json_text if path[0] in columns)
    return replace(shape, fields=fields, columns=tuple(columns), json_text=paths)


def _short(column: pa.Array) -> pa.Array:
    if is_list_type(column.type) and not pa.types.is_fixed_size_list(column.type):
        return pc.list_slice(column, 0, _MESSAGES)
    return column
