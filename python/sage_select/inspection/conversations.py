"""The turns of conversations: whose they are, how many a row has, in which there are tools and calls."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select.render import Conversation, Shape, examples
from sage_select.render.messages import CALL_ROLES, ROLES
from sage_select.render.values import is_list_type, is_text_type

__all__ = ["Conversations", "conversations"]

_CALLS: Final = ("tool_calls", "tool_call", "function_call")
#: Text that stands for no call and no tool.
_NOTHING: Final = ("", "[]", "null", '""', '"[]"', '"null"')


@dataclass(frozen=True)
class Conversations:
    """What the turns of rows are like.

    Attributes
    ----------
    roles
        Role -> how many turns are its.
    turns
        int64 (rows,): the turns of each row.
    with_tools, with_calls
        Rows that offer tools, and rows in which one is called.
    """

    roles: dict[str, int]
    turns: NDArray[np.int64]
    with_tools: int
    with_calls: int


def conversations(table: pa.Table, shape: Shape) -> Conversations | None:
    """Return what the turns of readable rows are like; None of rows that are no lists of messages.

    Cost: a pass over the columns where messages are structs, and else, where they are JSON text, each row is read by
    itself.
    """
    if "messages" not in shape.fields:
        return None
    column = table[shape.fields["messages"]]
    if is_list_type(column.type) and pa.types.is_struct(column.type.value_type) and column.null_count == 0:
        found = [_of_structs(chunk) for chunk in column.chunks if len(chunk)]
        if all(one is not None for one in found):
            return _joined([one for one in found if one is not None], table, shape)
    return _one_by_one(table, shape)


def _one_by_one(table: pa.Table, shape: Shape) -> Conversations:
    """Return the same by reading each row."""
    roles: Counter[str] = Counter()
    turns: list[int] = []
    tools = calls = 0
    for example in examples(table, shape):
        if isinstance(example, Conversation):
            roles.update(message["role"] for message in example.messages)
            turns.append(len(example.messages))
            tools += bool(example.tools)
            calls += any(message.get("tool_calls") for message in example.messages)
    return Conversations(dict(roles.most_common()), np.array(turns, np.int64), tools, calls)


def _of_structs(chunk: pa.Array) -> tuple[pa.Array, NDArray[np.int64], NDArray[np.bool_]] | None:
    """Return the role of each message, the number of its row, and whether it calls; None where that is to be read."""
    messages, parents = chunk.flatten(), pc.list_parent_indices(chunk).to_numpy()
    members = dict(zip((field.name for field in messages.type), messages.flatten(), strict=True))
    spoken = [members[name] for name in ("role", "from") if name in members and is_text_type(members[name].type)]
    if not spoken or messages.null_count:
        return None
    names = pc.utf8_lower(pc.utf8_trim_whitespace(pc.coalesce(*spoken)))
    calling = np.zeros(len(messages), np.bool_)
    if pc.any(pc.is_in(names, pa.array(sorted(CALL_ROLES)))).as_py():
        return None  # whether such a turn spells calls is told by its words
    spellings = [name for name in _CALLS if name in members]
    if len(spellings) > 1:
        return None  # which of them counts differs from message to message
    for name in spellings:
        calling |= _is_something(members[name])
    return names, np.asarray(parents, np.int64), calling


def _is_something(values: pa.Array) -> NDArray[np.bool_]:
    """Return which values are there: no null, no empty list and no text that says so."""
    there = values.is_valid()
    if is_list_type(values.type):
        there = pc.and_(there, pc.fill_null(pc.greater(pc.list_value_length(values), 0), False))
    elif is_text_type(values.type):
        said = pc.utf8_trim_whitespace(pc.fill_null(values, ""))
        there = pc.and_(there, pc.invert(pc.is_in(said, pa.array(_NOTHING, said.type))))
    return np.asarray(there)


def _joined(
    parts: list[tuple[pa.Array, NDArray[np.int64], NDArray[np.bool_]]], table: pa.Table, shape: Shape
) -> Conversations:
    n = table.num_rows
    lengths = pc.list_value_length(table[shape.fields["messages"]]).to_numpy()
    names = pa.chunked_array([part[0] for part in parts], pa.string()) if parts else pa.chunked_array([], pa.string())
    starts = np.cumsum([0, *(len(chunk) for chunk in table[shape.fields["messages"]].chunks if len(chunk))])
    rows = np.concatenate([part[1] + start for part, start in zip(parts, starts, strict=False)] or [np.empty(0, int)])
    calling = np.concatenate([part[2] for part in parts] or [np.empty(0, bool)])
    roles: Counter[str] = Counter()
    for counted in pc.value_counts(names).to_pylist():
        roles[ROLES[counted["values"]]] += counted["counts"]
    turns = np.asarray(lengths, np.int64).copy()
    beside = _system_turns(table, shape, names, rows, n)
    turns[beside] += 1
    if len(beside):
        roles["system"] += len(beside)
    tools = shape.fields.get("tools")
    with_tools = 0 if tools is None else _count(table[tools])
    return Conversations(dict(roles.most_common()), turns, with_tools, len(np.unique(rows[calling])))


def _system_turns(
    table: pa.Table, shape: Shape, names: pa.ChunkedArray, rows: NDArray[np.int64], n: int
) -> NDArray[np.int64]:
    """Return the rows that a column of its own gives a system turn: those that have none among their messages."""
    column = shape.fields.get("system")
    if column is None:
        return np.empty(0, np.int64)
    texts = pc.fill_null(table[column].cast(pa.string()), "")
    given = np.asarray(pc.not_equal(texts, ""))
    kind = [name for name, role in ROLES.items() if role == "system"]
    given[rows[np.asarray(pc.is_in(names, pa.array(kind)))]] = False
    return np.flatnonzero(given[:n])


def _count(column: pa.ChunkedArray) -> int:
    return int(sum(_is_something(chunk).sum() for chunk in column.chunks))
