"""A part of what each row says: what is asked, what is asked first, or what is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select.errors import Where
from sage_select.io.guards.mapped import mapped_table
from sage_select.io.guards.memory import row_budget
from sage_select.render.example import Conversation, Example, Text, examples
from sage_select.render.messages import ROLES
from sage_select.render.plain_types import decoded
from sage_select.render.shape import Shape
from sage_select.render.text import held_text, plain_text, plain_texts
from sage_select.render.values import is_list_type, is_text_type

__all__ = ["TextPart", "part_of", "part_texts"]

#: `prompt`: all turns that are not trained, such as those of users and results of tools; `first_user`: the first turn
#: of the user; `answer`: the turns that are trained. System turns and tools are in none.
TextPart = Literal["prompt", "first_user", "answer"]

#: Bytes of rows of which parts are taken at a time.
_SLICE_BYTES: Final = 128 << 20
#: The columns of shapes of two speakers that are not of each part.
_OTHERS: Final = {
    "prompt": ("answer", "output", "completion"),
    "answer": ("question", "instruction", "input", "prompt"),
}


def part_of(example: Example, part: TextPart) -> str:
    r"""Return the words of a part of one example, as `plain_text` has them; empty where it has none.

    Examples
    --------
    >>> turns = [("user", "a"), ("assistant", "b"), ("user", "c")]
    >>> row = Conversation([{"role": role, "content": content} for role, content in turns])
    >>> [part_of(row, part) for part in ("prompt", "first_user", "answer")]
    ['a\nc', 'a', 'b']
    """
    if isinstance(example, Text):
        return ""
    if part == "first_user":
        turns = [next((turn for turn in example.messages if turn["role"] == "user"), None)]
    else:
        trained = part == "answer"
        turns = [
            turn for turn in example.messages if (turn["role"] == "assistant" and turn.get("weight") != 0) is trained
        ]
    return plain_text(Conversation([turn for turn in turns if turn is not None]))


def part_texts(
    table: pa.Table, shape: Shape, part: TextPart, *, where: Callable[[int], Where] | None = None
) -> pa.ChunkedArray:
    """Return the words of a part of every row (`string`, no nulls); empty where a row has none, as texts have none.

    Parameters
    ----------
    table, shape
        The rows and how they are read.
    part
        Which part.
    where
        Row number -> its place, for messages.

    Raises
    ------
    DataError
        A row does not hold what its shape promises.

    Notes
    -----
    Turns are taken from Arrow lists of messages, and words made by the kernel. Rows whose messages are JSON text, or
    stand in a prompt or completion, are read one by one in Python: some 30 microseconds a row and turn.
    """
    if shape.is_text:
        return pa.chunked_array([pa.repeat(pa.scalar("", pa.string()), table.num_rows)], pa.string())
    table = decoded(table.select(list(dict.fromkeys(shape.columns))))
    place = where or (lambda row: Where(row=row))
    step = max(1, int(table.num_rows * _SLICE_BYTES / max(1, table.nbytes)))
    large, chunks = table.nbytes > row_budget(), list[pa.Array]()
    for first in range(0, table.num_rows, step):
        some = table.slice(first, step)

        def at(row: int, first: int = first) -> Where:
            return place(first + row)

        taken = _taken(some, shape, part)
        texts = _one_by_one(some, shape, part, at) if taken is None else plain_texts(*taken, where=at)
        mapped = mapped_table(pa.table({"text": texts})) if large else None
        chunks += (texts if mapped is None else mapped["text"]).chunks
    return pa.chunked_array(chunks, pa.string())


def _one_by_one(table: pa.Table, shape: Shape, part: TextPart, where: Callable[[int], Where]) -> pa.ChunkedArray:
    words = [held_text(part_of(one, part), where(row)) for row, one in enumerate(examples(table, shape, where))]
    return pa.chunked_array([pa.array(words, pa.string())], pa.string())


def _taken(table: pa.Table, shape: Shape, part: TextPart) -> tuple[pa.Table, Shape] | None:
    """Return the rows with that part alone; None where that takes a look at each."""
    if shape.name in ("messages", "sharegpt"):
        column = shape.fields["messages"]
        index = table.schema.get_field_index(column)
        kept = _turns(table.column(index), part)
        return None if kept is None else (table.set_column(index, table.schema.field(index), kept), shape)
    if not all(is_text_type(table.schema.field(name).type) for name in shape.fields.values()) or shape.json_text:
        return None
    empty = pa.chunked_array([pa.repeat(pa.scalar("", pa.string()), table.num_rows)], pa.string())
    for name in _OTHERS["answer" if part == "answer" else "prompt"]:
        if name in shape.fields:
            table = table.set_column(table.schema.get_field_index(shape.fields[name]), shape.fields[name], empty)
    return table, shape


def _turns(lists: pa.ChunkedArray, part: TextPart) -> pa.ChunkedArray | None:
    """Return lists of messages with those of the part alone; None where a look at the types does not tell roles."""
    kind = lists.type
    if not is_list_type(kind) or pa.types.is_fixed_size_list(kind) or not pa.types.is_struct(kind.value_type):
        return None
    fields = {field.name: field.type for field in kind.value_type}
    roles = [name for name in ("role", "from") if name in fields]
    weights = [name for name in ("weight", "loss_weight") if name in fields]
    if not roles or not all(is_text_type(fields[name]) for name in roles):
        return None
    if not all(pa.types.is_integer(fields[name]) or pa.types.is_floating(fields[name]) for name in weights):
        return None
    chunks = []
    for chunk in lists.chunks:
        lengths = pc.fill_null(pc.list_value_length(chunk), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        messages = chunk.flatten()
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        kept = _wanted(messages, roles, weights, part, bounds)
        ends = np.concatenate([[0], np.cumsum(kept)])[bounds]
        large = pa.types.is_large_list(kind)
        made, width = (pa.LargeListArray, np.int64) if large else (pa.ListArray, np.int32)
        offsets = pa.array(ends.astype(width))
        chunks.append(made.from_arrays(offsets, messages.filter(pa.array(kept)), type=kind))
    return pa.chunked_array(chunks, kind)


def _wanted(
    messages: pa.StructArray, roles: list[str], weights: list[str], part: TextPart, bounds: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which messages are of the part; `bounds` is where those of each row begin, and end."""
    spoken = _first_there(messages, roles).cast(pa.string()).dictionary_encode()
    known = [ROLES.get(str(name).strip().lower()) for name in spoken.dictionary.to_pylist()]
    codes = pc.fill_null(spoken.indices, len(known)).to_numpy(zero_copy_only=False)

    def said_by(role: str) -> NDArray[np.bool_]:
        of_code = np.array([*(name == role for name in known), False], np.bool_)
        said: NDArray[np.bool_] = of_code[codes]
        return said

    if part == "first_user":
        users = said_by("user")
        seen = np.concatenate([[0], np.cumsum(users)])
        before = np.repeat(seen[bounds[:-1]], np.diff(bounds))
        first: NDArray[np.bool_] = users & (seen[:-1] == before)
        return first
    trained = said_by("assistant")
    if weights:
        weight = pc.fill_null(_first_there(messages, weights), 1)
        trained &= weight.to_numpy(zero_copy_only=False) != 0
    return trained if part == "answer" else ~trained


def _first_there(messages: pa.StructArray, names: list[str]) -> Any:
    """Return of each message the first of these members that is not null."""
    values = [pc.struct_field(messages, name) for name in names]
    return values[0] if len(values) == 1 else pc.coalesce(*values)
