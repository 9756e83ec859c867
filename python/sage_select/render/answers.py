"""Which rows have anything to train, many rows at once: what `has_answer` says, by column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select.errors import Where
from sage_select.render.example import examples, has_answer
from sage_select.render.messages import ROLES
from sage_select.render.shape import Shape
from sage_select.render.template import parse_template
from sage_select.render.values import is_list_type, is_marked, is_text_type

__all__ = ["answered"]

_BATCH_ROWS: Final = 65_536
#: The part of a row that holds its answer, by shape.
_ANSWER: Final = {
    "text": "text",
    "messages": "messages",
    "sharegpt": "messages",
    "prompt_completion": "completion",
    "instruction": "output",
    "question_answer": "answer",
}
#: Shapes whose answer may be a list of messages.
_OF_MESSAGES: Final = ("messages", "sharegpt", "prompt_completion")
_ASSISTANT: Final = pa.array([name for name, role in ROLES.items() if role == "assistant"])
#: JSON text of a text that is not blank, whatever escapes come later.
_JSON_WORDS: Final = r'^"[ ]*[^\s"\\]'


def answered(table: pa.Table, shape: Shape, where: Callable[[int], Where] | None = None) -> NDArray[np.bool_]:
    """Return for each row whether it has anything to train: bool (rows,).

    Columns tell for nearly all rows; those of which they cannot be sure are read one by one.

    Parameters
    ----------
    table, shape
        The rows and how they are read.
    where
        Row number -> its place, for messages.

    Raises
    ------
    DataError
        A row that had to be read does not hold what its shape promises.
    """
    place = where or (lambda row: Where(row=row))
    table = table.select(list(dict.fromkeys(shape.columns)))
    found = np.ones(table.num_rows, np.bool_)
    first = 0
    for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
        sure = _sure(batch, shape).to_numpy(zero_copy_only=False)
        unsure = np.flatnonzero(~sure)
        if len(unsure):
            rows = pa.Table.from_batches([batch]).take(pa.array(unsure))
            numbers = first + unsure
            read = examples(rows, shape, _places(place, numbers))
            found[numbers] = [has_answer(example) for example in read]
        first += batch.num_rows
    return found


def _places(place: Callable[[int], Where], numbers: NDArray[np.int64]) -> Callable[[int], Where]:
    return lambda row: place(int(numbers[row]))


def _sure(batch: pa.RecordBatch, shape: Shape) -> pa.Array:
    """Return which rows surely have an answer (no nulls)."""
    if shape.name == "template":
        template = parse_template(shape.options.template or "")
        if any(literal.strip() for literal in template.literals):
            return pa.repeat(pa.scalar(True), batch.num_rows)
        sure = pa.repeat(pa.scalar(False), batch.num_rows)
        for name in template.fields:
            sure = pc.or_(sure, _has_words(batch.schema.field(name), batch.column(name)))
        return sure
    name = shape.fields[_ANSWER[shape.name]]
    field, column = batch.schema.field(name), batch.column(name)
    if is_list_type(field.type) and shape.name in _OF_MESSAGES:
        return _any_message(field, column)
    if _ANSWER[shape.name] == "messages":
        return pa.repeat(pa.scalar(False), batch.num_rows)
    return _has_words(field, column)


def _has_words(field: pa.Field, values: pa.Array) -> pa.Array:
    """Return which values are surely text that is not blank; text that may be JSON is not."""
    kind = field.type
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if is_marked(field):
        return pc.fill_null(pc.match_substring_regex(pc.cast(values, pa.string()), _JSON_WORDS), False)
    if is_text_type(kind):
        values = values if pa.types.is_string(kind) or pa.types.is_large_string(kind) else pc.cast(values, pa.string())
        blank = pc.or_(pc.equal(pc.binary_length(values), 0), pc.utf8_is_space(values))
        return pc.invert(pc.fill_null(blank, True))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return values.is_valid()
    return pa.repeat(pa.scalar(False), len(values))


def _any_message(field: pa.Field, conversations: pa.Array) -> pa.Array:
    """Return which conversations surely hold a message that is trained."""
    kind = field.type.value_field.type
    if not pa.types.is_struct(kind) or len({member.name for member in kind}) != kind.num_fields:
        return pa.repeat(pa.scalar(False), len(conversations))
    messages = conversations.flatten()
    fields = {member.name: member for member in kind}
    members = dict(zip(fields, messages.flatten(), strict=True))
    never = pa.repeat(pa.scalar(False), len(messages))

    def either(first: str, second: str, test: Callable[[pa.Field, pa.Array], pa.Array]) -> pa.Array:
        """Return where the first of two members passes, or where it is absent the second."""
        found = never
        if second in fields:
            found = test(fields[second], members[second])
        if first in fields:
            found = pc.if_else(members[first].is_valid(), test(fields[first], members[first]), found)
        return found

    said = either("content", "value", lambda field, values: _has_words(field, values) if _is_text(field) else never)
    calls = fields.get("tool_calls")
    if calls is not None and is_list_type(calls.type):
        said = pc.or_(said, pc.fill_null(pc.greater(pc.list_value_length(members["tool_calls"]), 0), False))
    spoken = either("role", "from", lambda field, values: _is_assistant(values) if is_text_type(field.type) else never)
    trained = pc.and_(spoken, said)
    for weight in ("weight", "loss_weight"):
        if weight in fields:
            trained = pc.and_(trained, _is_whole(members[weight]))
    lengths = pc.fill_null(pc.list_value_length(conversations), 0).to_numpy(zero_copy_only=False)
    ends = np.concatenate(([0], np.cumsum(lengths)))
    before = np.concatenate(([0], np.cumsum(trained.to_numpy(zero_copy_only=False))))
    return pa.array(before[ends[1:]] > before[ends[:-1]])


def _is_text(field: pa.Field) -> bool:
    return is_text_type(field.type) or is_marked(field)


def _is_assistant(roles: pa.Array) -> pa.Array:
    return pc.is_in(pc.cast(roles, pa.string()), _ASSISTANT)


def _is_whole(weights: pa.Array) -> pa.Array:
    """Return which weights are absent or 1."""
    if pa.types.is_integer(weights.type) or pa.types.is_floating(weights.type):
        return pc.fill_null(pc.equal(weights, 1), True)
    return weights.is_null()
