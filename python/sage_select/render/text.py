"""The words of each row, for embedding and for lexical scores."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select.errors import DataError, Where
from sage_select.render.example import Example, Text, examples
from sage_select.render.shape import Shape
from sage_select.render.turns import spoken_by_columns
from sage_select.render.values import dump_json, is_text_type

__all__ = ["joined_words", "plain_text", "plain_texts"]

Progress = Callable[[int, int], None]

_BATCH_ROWS = 4096
_SURROGATE = re.compile("[\ud800-\udfff]")
#: Shapes whose words are those of some columns, and how these are joined (the parts in order of joining).
_JOINED = {
    "text": (("text", ""),),
    "question_answer": (("question", ""), ("answer", "\n")),
    "instruction": (("instruction", ""), ("input", "\n\n"), ("output", "\n")),
    "prompt_completion": (("prompt", ""), ("completion", "\n")),
}


def plain_text(example: Example) -> str:
    r"""Return the words of one example: its turns without system turns and tools, a line break between.

    A call is written as its name and its arguments as JSON.

    Examples
    --------
    >>> plain_text(Text("a b"))
    'a b'
    """
    if isinstance(example, Text):
        return example.text
    return _words(example.messages)


def _words(messages: list[dict[str, Any]]) -> str:
    parts: list[str] = []
    for message in messages:
        if message["role"] == "system":
            continue
        parts.append(message["content"])
        for call in message.get("tool_calls", ()):
            function = call["function"]
            arguments = function["arguments"]
            parts.append(f"{function['name']} {arguments if isinstance(arguments, str) else dump_json(arguments)}")
    return "\n".join(part for part in parts if part)


def plain_texts(
    table: pa.Table,
    shape: Shape,
    *,
    rows: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
    where: Callable[[int], Where] | None = None,
) -> pa.ChunkedArray:
    """Return the words of every row, or of `rows` (`string`, no nulls), one chunk for at most 4096 rows.

    Shapes made of text columns and usual conversations are joined by Arrow; anything else goes through Python a
    batch at a time, so that memory grows by the text alone.

    Parameters
    ----------
    table, shape
        The rows and how they are read.
    rows
        Numbers of the rows wanted; None for all.
    progress
        Called with (rows done, rows) after each batch.
    where
        Row number -> its place, for messages.

    Raises
    ------
    DataError
        A row does not hold what its shape promises.
    """
    chunks: list[pa.Array] = []
    done = 0
    shape = _worded(shape)
    table = table.select(list(shape.columns))
    if rows is not None:
        table = table.take(pa.array(rows))
    for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
        texts = joined_words(batch, shape)
        chunks.append(_spoken(batch, shape, _places(rows, done, where)) if texts is None else texts)
        done += batch.num_rows
        if progress is not None:
            progress(done, table.num_rows)
    return pa.chunked_array(chunks, type=pa.string())


def _worded(shape: Shape) -> Shape:
    """Return the shape without the parts that are not among the words."""
    if shape.is_text:
        return shape
    fields = {part: column for part, column in shape.fields.items() if part not in ("tools", "system")}
    columns = tuple(dict.fromkeys(fields.values()))
    return replace(
        shape,
        fields=fields,
        columns=columns,
        json_text=tuple(path for path in shape.json_text if path[0] in columns),
    )


def _places(rows: NDArray[np.int64] | None, first: int, where: Callable[[int], Where] | None) -> Callable[[int], Where]:
    """Return where the rows of a batch lie that begins with the row, or wanted row, `first`."""
    place = where or (lambda row: Where(row=row))
    return lambda row: place(first + row if rows is None else int(rows[first + row]))


def _spoken(batch: pa.RecordBatch, shape: Shape, place: Callable[[int], Where]) -> pa.Array:
    """Return the words of a batch by way of its examples."""
    texts = [plain_text(example) for example in examples(pa.Table.from_batches([batch]), shape, place)]
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:
        row = next(row for row, text in enumerate(texts) if _SURROGATE.search(text))
        raise DataError(
            "the row has half a character, which no text can hold",
            where=place(row),
            expected="surrogates in pairs",
            got=ascii(_SURROGATE.findall(texts[row])[0]),
        ) from None


def joined_words(batch: pa.RecordBatch, shape: Shape) -> pa.Array | None:
    """Return the words of a batch by joining its columns, or None where that cannot be done."""
    if "messages" in shape.fields:
        within = [path[2:] for path in shape.json_text]
        return spoken_by_columns(batch.column(shape.fields["messages"]), within, _words) if all(within) else None
    order = _JOINED.get(shape.name)
    if order is None or shape.json_text:
        return None
    text: pa.Array | None = None
    for part, separator in order:
        if part not in shape.fields:
            continue
        column = batch.column(shape.fields[part])
        if not is_text_type(column.type):
            return None
        column = pc.fill_null(pc.cast(column, pa.string()), "")
        text = column if text is None else _join(text, column, separator)
    return text


def _join(left: pa.Array, right: pa.Array, separator: str) -> pa.Array:
    """Return both texts with the separator between, or the one that is not empty."""
    both = pc.binary_join_element_wise(left, right, separator)
    return pc.if_else(pc.equal(left, ""), right, pc.if_else(pc.equal(right, ""), left, both))
