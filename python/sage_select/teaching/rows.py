"""The rows of a selection with the answers of a teacher in place of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import io
from sage_select.columns import COLUMNS, PARENT, Origin, Reason
from sage_select.contamination import Origins
from sage_select.io.tables.strict_json import encode
from sage_select.render import Shape
from sage_select.render.messages import CALL_ROLES, THOUGHTS
from sage_select.render.values import decode_json_text, json_paths, try_json
from sage_select.train.selection import OrderedRows
from sage_select.train.split import roots

__all__ = ["answer_column", "holds_messages", "taught_rows"]

Message = dict[str, Any]

#: What of a message is the answer itself.
_ANSWER: Final = frozenset(("content", "value", "tool_calls", "tool_call", "function_call", *THOUGHTS))
#: Shape -> the part that holds its answer.
_ANSWERS: Final[Mapping[str, str]] = {
    "messages": "messages",
    "sharegpt": "messages",
    "prompt_completion": "completion",
    "instruction": "output",
    "question_answer": "answer",
}
_CONVERSATIONS: Final = ("messages", "sharegpt")
#: What a row is called that was made of another.
_NAME: Final = "taught"
#: Columns that tell of the words of a row as they were.
_OF_WORDS: Final = ("sage_score", "sage_gain")


def answer_column(shape: Shape) -> str | None:
    """Return the column that holds the answers of rows; None of plain texts."""
    part = _ANSWERS.get(shape.name)
    return None if part is None else shape.fields[part]


def holds_messages(values: Mapping[str, Any], shape: Shape) -> bool:
    """Return whether the answer of a row is a message, not a text.

    Parameters
    ----------
    values
        Column -> value, as Arrow gives them.
    """
    column = answer_column(shape)
    if shape.name in _CONVERSATIONS or column is None:
        return column is not None
    paths = [path for path in shape.json_text if path[0] == column]
    return isinstance(decode_json_text({column: values.get(column)}, paths, None).get(column), list)


def taught_rows(
    rows: OrderedRows, places: NDArray[np.int64], answers: Sequence[tuple[int, Message]]
) -> tuple[pa.Table, Shape]:
    """Return rows with other answers, in training order, and how they are read.

    Each is a row of its own, made of the one whose answer it had: `sage_row_id` says so, `sage_origin` is `taught`, and
    `sage_parent_id` names the row that this one comes from in the end, so that whatever keeps the rows that come from
    one together (`sage-train --eval-split`, held-out rows) knows them. Scores and gains were those of other words, and
    are null; all other columns are as they were.

    Parameters
    ----------
    rows
        The selection.
    places
        int64, ascending: which of the rows, in training order.
    answers
        For each how many messages come after the answered one, negative: its place from the end; and the answer.
    """
    column = answer_column(rows.shape)
    if column is None:
        raise RuntimeError("plain texts have no answers")
    numbers = rows.order[places]
    table = io.take_rows(rows.rows.table, numbers)
    before = (row.get(column) for row in io.decode_rows(table.select([column])))
    turns = rows.shape.name in _CONVERSATIONS
    values = [
        {column: _answered(value, at, message, turns=turns)}
        for value, (at, message) in zip(before, answers, strict=True)
    ]
    made = io.from_object(values).table
    table = table.set_column(table.column_names.index(column), made.schema.field(column), made[column])
    table = _with_own_columns(table, rows, numbers)
    json_text = json_paths(table.schema, rows.shape.columns)
    return table, replace(rows.shape, json_text=json_text)


def _answered(value: Any, at: int, answer: Message, *, turns: bool) -> Any:
    """Return what a column held, conversations as `turns` or an answer, with another answer in it."""
    if turns and isinstance(value, str):
        return encode(_answered(try_json(value), at, answer, turns=turns))
    if not isinstance(value, list):
        return answer["content"]
    changed = list(value)
    changed[at] = _spoken(changed[at], answer)
    return changed


def _spoken(raw: Any, answer: Message) -> Any:
    """Return a message as the row spells messages, with another answer."""
    if isinstance(raw, str):
        return encode(_spoken(try_json(raw), answer))
    content = "value" if raw.get("content") is None and "value" in raw else "content"
    spoken = "from" if raw.get("role") is None else "role"
    made = {name: one for name, one in raw.items() if name not in _ANSWER or name == content}
    if str(made[spoken]).strip().lower() in CALL_ROLES:
        made[spoken] = "gpt" if spoken == "from" else "assistant"
    return {**made, content: answer["content"], **{name: one for name, one in answer.items() if name != "content"}}


def _with_own_columns(table: pa.Table, rows: OrderedRows, numbers: NDArray[np.int64]) -> pa.Table:
    """Return the table with all `sage_` columns of an output behind its own."""
    n = table.num_rows
    origins = Origins.of(rows.rows.table, rows.shape, None, named=True)
    ids, parents = (
        [None if one is None else str(one) for one in found.to_pylist()] for found in (origins.ids, origins.parents)
    )
    root = roots(
        [str(one) for one in ids], {str(row): parent for row, parent in zip(ids, parents, strict=True) if parent}
    )
    places = numbers.tolist()
    made = {
        "sage_row_id": pa.array(_names([str(ids[at]) for at in places], set(ids)), pa.string()),
        "sage_origin": pa.array([Origin.TAUGHT] * n, pa.string()),
        PARENT: pa.array([root[at] for at in places], pa.string()),
        "sage_position": pa.array(np.arange(n), pa.int64()),
    }
    otherwise = {
        "sage_reason": pa.array([Reason.ALL] * n, pa.string()),
        "sage_rank": pa.array(np.arange(n), pa.int64()),
        "sage_weight": pa.array(np.ones(n, np.float32)),
    }
    own = [name for name in table.column_names if name not in COLUMNS]
    fields, arrays = [table.schema.field(name) for name in own], [table[name] for name in own]
    for name, (kind, nullable) in COLUMNS.items():
        there = name in table.column_names and name not in _OF_WORDS
        found = made.get(name) if name in made else table[name] if there else otherwise.get(name)
        wanted = pa.type_for_alias(kind)
        fields.append(pa.field(name, wanted, nullable=nullable))
        arrays.append(pa.nulls(n, wanted) if found is None else found.cast(wanted))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _names(parents: Sequence[str], known: set[Any]) -> list[str]:
    """Return an id for each row: that of the row it was made of, and a number, the first that is free."""
    taken, names = set(known), []
    for parent in parents:
        number = 1
        while (name := f"{parent}+{_NAME}{number}") in taken:
            number += 1
        taken.add(name)
        names.append(name)
    return names
