"""Which rows cannot be read as their shape promises, and what in them nothing reads, many rows at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from sage_select.errors import DataError, Where
from sage_select.render.example import to_example
from sage_select.render.messages import KEPT_KEYS, READ_KEYS, normalise_tools
from sage_select.render.shape import Shape
from sage_select.render.text import joined_words
from sage_select.render.values import is_list_type, is_text_type, python_values

__all__ = ["unread_keys", "unusable_rows"]

_BATCH_ROWS: Final = 4096
_WEIGHTS: Final = ("weight", "loss_weight")


def unusable_rows(table: pa.Table, shape: Shape, where: Callable[[int], Where]) -> Iterator[tuple[int, DataError]]:
    """Yield the number of each row that does not hold what its shape promises, and what is wrong with it.

    Columns tell for nearly all rows; batches of which they cannot be sure are read row by row.
    """
    first = 0
    for batch in table.select(list(dict.fromkeys(shape.columns))).to_batches(max_chunksize=_BATCH_ROWS):
        if not _sure(batch, shape):
            columns = [python_values(column) for column in batch.columns]
            for index, values in enumerate(zip(*columns, strict=True)):
                row = dict(zip(batch.schema.names, values, strict=True))
                try:
                    to_example(row, shape, where(first + index))
                except DataError as error:
                    yield first + index, error
        first += batch.num_rows


def unread_keys(table: pa.Table, shape: Shape) -> dict[str, int]:
    """Return the keys of messages that nothing reads but perhaps a chat template, and how many messages have each."""
    counts: dict[str, int] = {}
    column = shape.fields.get("messages")
    if column is None or not is_list_type(table.schema.field(column).type):
        return counts
    for chunk in table.column(column).chunks:
        messages = chunk.flatten()
        if not pa.types.is_struct(messages.type):
            continue
        for field, member in zip(messages.type, messages.flatten(), strict=True):
            if field.name not in READ_KEYS and field.name not in KEPT_KEYS:
                counts[field.name] = counts.get(field.name, 0) + len(member) - member.null_count
    return {name: count for name, count in counts.items() if count}


def _sure(batch: pa.RecordBatch, shape: Shape) -> bool:
    """Whether all rows can surely be read."""
    if joined_words(batch, shape) is None:
        return False
    system, tools = shape.fields.get("system"), shape.fields.get("tools")
    if system is not None and not is_text_type(batch.schema.field(system).type):
        return False
    if tools is not None and not _are_tools(batch.column(tools)):
        return False
    messages = batch.column(shape.fields["messages"]).flatten() if "messages" in shape.fields else None
    return messages is None or all(_are_weights(messages.field(name)) for name in _WEIGHTS if _has(messages.type, name))


def _has(kind: pa.DataType, name: str) -> bool:
    return any(field.name == name for field in kind)


def _are_tools(tools: pa.Array) -> bool:
    """Whether text that spells tools, the same in many rows, can be read."""
    if not is_text_type(tools.type):
        return False
    try:
        for text in pc.unique(tools).to_pylist():
            normalise_tools(text, "tools", None)
    except (DataError, RecursionError):
        return False
    return True


def _are_weights(weights: Any) -> bool:
    if not (pa.types.is_integer(weights.type) or pa.types.is_floating(weights.type)):
        return bool(weights.null_count == len(weights))
    return bool(pc.all(pc.is_in(weights.drop_null(), pa.array([0, 1], weights.type))).as_py() is not False)
