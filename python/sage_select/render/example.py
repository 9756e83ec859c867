"""One row as the thing to train on: a conversation or a plain text, and whether it holds anything to learn."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from sage_select.cache import key_of
from sage_select.errors import DataError, Where
from sage_select.io.tables.digest import digest_table
from sage_select.render.messages import normalise_messages, normalise_tools, thought_of
from sage_select.render.shape import Shape
from sage_select.render.template import parse_template
from sage_select.render.values import decode_json_text, python_values, text_of

__all__ = [
    "Conversation",
    "Example",
    "JoinedExamples",
    "RowExamples",
    "Text",
    "examples",
    "has_answer",
    "is_answer",
    "to_example",
]


@dataclass(frozen=True)
class Conversation:
    """Turns in the normal form of `sage_select.render.messages`, and the tools offered."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Text:
    """A plain text, trained as a whole."""

    text: str


Example = Conversation | Text


def has_answer(example: Example) -> bool:
    """Return whether there is anything to train: words, a call or a thought in a turn that is trained.

    A row without an answer trains nothing, or an end token alone; it takes no place in a selection and in training.

    Examples
    --------
    >>> has_answer(Conversation([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": " "}]))
    False
    >>> has_answer(Text("once"))
    True
    """
    if isinstance(example, Text):
        return bool(example.text.strip())
    return any(map(is_answer, example.messages))


def is_answer(message: Mapping[str, Any]) -> bool:
    """Return whether a turn is trained: the assistant's, not of weight 0, with words, a call or a thought."""
    if message["role"] != "assistant" or message.get("weight") == 0:
        return False
    return bool(message.get("tool_calls") or message["content"].strip() or thought_of(message))


def to_example(row: Mapping[str, Any], shape: Shape, where: Where | None = None) -> Example:
    """Return what one row holds.

    Parameters
    ----------
    row
        Column -> value, as `pyarrow` gives them; columns outside the shape are not looked at.
    shape
        How the row is read.
    where
        The row's place, for messages.

    Raises
    ------
    DataError
        The row does not hold what its shape promises.

    Notes
    -----
    Two-part rows become one user and one assistant turn; an instruction and its input are two paragraphs of the
    user turn. An answer that is null is an empty one, and empty answers are not trained (`has_answer`). In a prompt
    that is a list of messages no turn is trained.

    Examples
    --------
    >>> from sage_select.render.shape import detect_shape
    >>> shape = detect_shape(["question", "answer"])
    >>> to_example({"question": "1+1?", "answer": "2"}, shape).messages
    [{'role': 'user', 'content': '1+1?'}, {'role': 'assistant', 'content': '2'}]
    """
    own = {name: row.get(name) for name in shape.columns}
    try:
        return _READERS[shape.name](decode_json_text(own, shape.json_text, where), shape, where)
    except RecursionError:
        raise DataError("the row is nested too deeply", where=where) from None


class RowExamples:
    """The rows of a table as they are trained, read some at a time: `rows[start:stop]`."""

    def __init__(self, table: pa.Table, shape: Shape, where: Callable[[int], Where] | None = None) -> None:
        self._table, self._shape = table, shape
        self.where = where or (lambda row: Where(row=row))

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def content(self, start: int, stop: int) -> str:
        """Return what names the content of some rows, and how it is read.

        It is of their bytes: rows with the same canonical JSON may be rendered otherwise.
        """
        part = self._table.select(list(dict.fromkeys(self._shape.columns))).slice(start, stop - start)
        return key_of([self._shape.to_dict(), digest_table(part.replace_schema_metadata(None))])

    def __getitem__(self, rows: slice) -> Iterator[Example]:
        """Return the examples from one row to before another, in order."""
        start, stop, _ = rows.indices(len(self))
        part = self._table.slice(start, max(0, stop - start))
        return examples(part, self._shape, lambda row: self.where(start + row))


class JoinedExamples:
    """The rows of several tables, one behind the other, as `RowExamples` has those of one."""

    def __init__(self, parts: Sequence[RowExamples]) -> None:
        self._parts = parts
        self._bounds = [0, *itertools.accumulate(map(len, parts))]

    def __len__(self) -> int:
        return self._bounds[-1]

    def __getitem__(self, rows: slice) -> Iterator[Example]:
        """Return the examples from one row to before another, in order."""
        start, stop, _ = rows.indices(len(self))
        return (one for part, first, last in self._within(start, stop) for one in part[first:last])

    def content(self, start: int, stop: int) -> str:
        """Return what names the content of some rows: of those of one table as that table does."""
        found = [part.content(first, last) for part, first, last in self._within(start, stop)]
        return found[0] if len(found) == 1 else key_of(found)

    def where(self, row: int) -> Where:
        """Return the place of a row."""
        part, first, _ = next(self._within(row, row + 1))
        return part.where(first)

    def _within(self, start: int, stop: int) -> Iterator[tuple[RowExamples, int, int]]:
        """Yield the parts of which there are rows, and which of theirs."""
        for part, first in zip(self._parts, self._bounds, strict=False):
            begin, end = max(start - first, 0), min(stop - first, len(part))
            if begin < end:
                yield part, begin, end


def examples(
    table: pa.Table, shape: Shape, where: Callable[[int], Where] | None = None, *, batch_rows: int = 1024
) -> Iterator[Example]:
    """Yield what each row of `table` holds, in order, with `batch_rows` rows as Python objects at a time."""
    row = 0
    for batch in table.select(list(dict.fromkeys(shape.columns))).to_batches(max_chunksize=batch_rows):
        columns = [python_values(column) for column in batch.columns]
        for values in zip(*columns, strict=True):
            own = dict(zip(batch.schema.names, values, strict=True))
            yield to_example(own, shape, where(row) if where else Where(row=row))
            row += 1


def _read_text(row: dict[str, Any], shape: Shape, where: Where | None) -> Text:
    column = shape.fields["text"]
    return Text(text_of(row.get(column), column, where))


def _read_template(row: dict[str, Any], shape: Shape, where: Where | None) -> Text:
    template = parse_template(shape.options.template or "")
    parts = [template.literals[0]]
    for name, literal in zip(template.fields, template.literals[1:], strict=True):
        parts += (text_of(row.get(name), name, where), literal)
    return Text("".join(parts))


def _read_messages(row: dict[str, Any], shape: Shape, where: Where | None) -> Conversation:
    column = shape.fields["messages"]
    messages = normalise_messages(row.get(column), column, where)
    if not any(message["role"] == "system" for message in messages):
        messages = _system(row, shape, where) + messages
    return Conversation(messages, _tools(row, shape, where))


def _read_prompt(row: dict[str, Any], shape: Shape, where: Where | None) -> Conversation:
    prompt_column, completion_column = shape.fields["prompt"], shape.fields["completion"]
    prompt, completion = row.get(prompt_column), row.get(completion_column)
    messages: list[dict[str, Any]]
    if isinstance(prompt, list):
        messages = normalise_messages(prompt, prompt_column, where)
        messages = [{**turn, "weight": 0} if turn["role"] == "assistant" else turn for turn in messages]
    else:
        messages = [_turn("user", prompt, prompt_column, where)]
    if isinstance(completion, list):
        messages += normalise_messages(completion, completion_column, where)
    else:
        messages.append(_turn("assistant", completion, completion_column, where))
    return Conversation(messages, _tools(row, shape, where))


def _read_instruction(row: dict[str, Any], shape: Shape, where: Where | None) -> Conversation:
    asked = [
        text_of(row.get(shape.fields[part]), shape.fields[part], where)
        for part in ("instruction", "input")
        if part in shape.fields
    ]
    question = {"role": "user", "content": "\n\n".join(text for text in asked if text)}
    answer = _turn("assistant", row.get(shape.fields["output"]), shape.fields["output"], where)
    return Conversation([*_system(row, shape, where), question, answer])


def _read_question(row: dict[str, Any], shape: Shape, where: Where | None) -> Conversation:
    question, answer = shape.fields["question"], shape.fields["answer"]
    return Conversation(
        [
            _turn("user", row.get(question), question, where),
            _turn("assistant", row.get(answer), answer, where),
        ]
    )


def _turn(role: str, value: Any, column: str, where: Where | None) -> dict[str, Any]:
    return {"role": role, "content": text_of(value, column, where)}


def _system(row: dict[str, Any], shape: Shape, where: Where | None) -> list[dict[str, Any]]:
    column = shape.fields.get("system")
    text = text_of(row.get(column), column, where) if column else ""
    return [{"role": "system", "content": text}] if text else []


def _tools(row: dict[str, Any], shape: Shape, where: Where | None) -> list[dict[str, Any]]:
    column = shape.fields.get("tools")
    if column is None:
        return []
    return normalise_tools(row.get(column), column, where)


_READERS: dict[str, Callable[[dict[str, Any], Shape, Where | None], Example]] = {
    "text": _read_text,
    "template": _read_template,
    "messages": _read_messages,
    "sharegpt": _read_messages,
    "prompt_completion": _read_prompt,
    "instruction": _read_instruction,
    "question_answer": _read_question,
}
