"""What in the messages of rows nothing reads."""

from __future__ import annotations

import pyarrow as pa

from sage_select.render.messages import KEPT_KEYS, READ_KEYS
from sage_select.render.shape import Shape
from sage_select.render.values import is_list_type

__all__ = ["unread_keys"]


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
