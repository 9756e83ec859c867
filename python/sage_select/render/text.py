"""The words of each row, for embedding and for lexical scores, and which rows have anything to train."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.errors import DataError, Where
from sage_select.io.guards.mapped import mapped_table
from sage_select.io.guards.memory import row_budget
from sage_select.kernels.arrays import some_rows
from sage_select.render.example import Example, Text, has_answer, to_example
from sage_select.render.plain_types import decoded
from sage_select.render.shape import Shape
from sage_select.render.template import parse_template
from sage_select.render.values import dump_json, python_values

__all__ = ["RenderedRows", "answered", "held_text", "plain_text", "plain_texts", "render_rows"]

#: Rows that are Python objects at a time.
_READ_ROWS: Final = 1024
#: Bytes of rows that are rendered at a time where they do not fit into memory.
_PART_BYTES: Final = 128 << 20
_SURROGATES: Final = range(0xD800, 0xE000)
#: Shapes of two speakers: whose parts are asked, and which is the answer.
_PARTS: Final = {
    "question_answer": (("question",), "answer"),
    "instruction": (("instruction", "input"), "output"),
}


@dataclass(frozen=True)
class RenderedRows:
    """What rows say.

    Parameters
    ----------
    texts
        `string`: the words of each row, as `plain_text` has them; empty for those refused.
    answered
        bool (rows,): whether there is anything to train.
    refused
        Row -> what is wrong with it, ascending: it does not hold what its shape promises.
    """

    texts: pa.ChunkedArray
    answered: NDArray[np.bool_]
    refused: dict[int, DataError]

    def only(self, rows: NDArray[np.int64]) -> RenderedRows:
        """Return what these rows, ascending, say; none of them may be refused."""
        return RenderedRows(some_rows(self.texts, rows), self.answered[rows], {})


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
    parts: list[str] = []
    for message in example.messages:
        if message["role"] == "system":
            continue
        parts.append(message["content"])
        for call in message.get("tool_calls", ()):
            function = call["function"]
            arguments = function["arguments"]
            parts.append(f"{function['name']} {arguments if isinstance(arguments, str) else dump_json(arguments)}")
    return "\n".join(part for part in parts if part)


def render_rows(
    table: pa.Table,
    shape: Shape,
    *,
    where: Callable[[int], Where] | None = None,
) -> RenderedRows:
    """Return what the rows of a table say, which have anything to train, and which cannot be read.

    Parameters
    ----------
    table, shape
        The rows and how they are read.
    where
        Row number -> its place, for messages.

    Notes
    -----
    Rows that are odd, or wrong, are read one by one as `to_example` does, which says what is wrong; all others are read
    by the kernel.
    """
    table = decoded(table.select(list(dict.fromkeys(shape.columns))))
    place, large = where or _numbered, table.nbytes > row_budget()
    step = max(1, int(table.num_rows * _PART_BYTES / table.nbytes)) if large else max(1, table.num_rows)
    chunks: list[pa.Array] = []
    trained = np.zeros(table.num_rows, np.bool_)
    refused: dict[int, DataError] = {}
    for first in range(0, table.num_rows, step):
        part = table.slice(first, step)
        made = _render_part(part, shape, _from(first, place))
        texts = mapped_table(pa.table({"text": made.texts})) if large else None
        chunks += (made.texts if texts is None else texts["text"]).chunks
        trained[first : first + step] = made.answered
        refused.update((first + row, error) for row, error in made.refused.items())
    return RenderedRows(pa.chunked_array(chunks, pa.string()), trained, refused)


def _render_part(table: pa.Table, shape: Shape, place: Callable[[int], Where]) -> RenderedRows:
    made = kernels.render_rows(table, _layout(shape, table.schema.names))
    texts: dict[int, str] = {}
    trained, refused = made.answered.copy(), {}
    for row, read in _read(table, shape, np.union1d(made.unknown, made.unsure), place):
        if isinstance(read, DataError):
            refused[row] = read
        else:
            texts[row], trained[row] = plain_text(read), has_answer(read)
    found = {int(row): texts[row] for row in made.unknown if row in texts}
    return RenderedRows(_with(made.texts, found, place), trained, refused)


def plain_texts(
    table: pa.Table,
    shape: Shape,
    *,
    rows: NDArray[np.int64] | None = None,
    where: Callable[[int], Where] | None = None,
) -> pa.ChunkedArray:
    """Return the words of every row, or of `rows` (`string`, no nulls).

    Parameters
    ----------
    table, shape
        The rows and how they are read.
    rows
        Numbers of the rows wanted; None for all.
    where
        Row number -> its place, for messages.

    Raises
    ------
    DataError
        A row does not hold what its shape promises.
    """
    shape, place = _worded(shape), where or _numbered
    table = decoded(table.select(list(dict.fromkeys(shape.columns))))
    if rows is not None:
        wanted, whole = rows, place
        table = table.take(pa.array(wanted))

        def place(row: int) -> Where:
            return whole(int(wanted[row]))

    made = kernels.render_rows(table, _layout(shape, table.schema.names))
    found = {}
    for row, read in _read(table, shape, made.unknown, place):
        if isinstance(read, DataError):
            raise read
        found[row] = plain_text(read)
    return _with(made.texts, found, place)


def answered(table: pa.Table, shape: Shape, where: Callable[[int], Where] | None = None) -> NDArray[np.bool_]:
    """Return for each row whether it has anything to train: bool (rows,).

    Raises
    ------
    DataError
        A row does not hold what its shape promises.
    """
    made = render_rows(table, shape, where=where)
    for error in made.refused.values():
        raise error
    return made.answered


def _numbered(row: int) -> Where:
    return Where(row=row)


def _from(first: int, place: Callable[[int], Where]) -> Callable[[int], Where]:
    """Return where rows lie that are counted from `first`."""
    return lambda row: place(first + row)


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


def _layout(shape: Shape, names: list[str]) -> kernels.RowLayout:
    """Return how the kernel reads rows of this shape, from the columns of these names."""
    beside = [names.index(shape.fields[part]) if part in shape.fields else None for part in ("system", "tools")]

    def columns(*parts: str) -> tuple[int, ...]:
        return tuple(names.index(shape.fields[part]) for part in parts if part in shape.fields)

    if shape.name == "template":
        template = parse_template(shape.options.template or "")
        fields = tuple(names.index(name) for name in template.fields)
        return kernels.RowLayout("template", fields, template.literals)
    if shape.name == "text":
        return kernels.RowLayout("template", columns("text"), ("", ""))
    if shape.name == "prompt_completion":
        return kernels.RowLayout("prompt", columns("prompt", "completion"), (), *beside)
    if shape.name in _PARTS:
        asked, answer = _PARTS[shape.name]
        return kernels.RowLayout("parts", columns(*asked, answer), (), *beside)
    return kernels.RowLayout("messages", columns("messages"), (), *beside)


def _read(
    table: pa.Table, shape: Shape, rows: NDArray[np.int64], place: Callable[[int], Where]
) -> Iterator[tuple[int, Example | DataError]]:
    """Yield some rows one by one, and what each holds or why it holds nothing that can be read."""
    for start in range(0, len(rows), _READ_ROWS):
        numbers = rows[start : start + _READ_ROWS].tolist()
        some = table.take(pa.array(numbers, pa.int64()))
        columns: list[list[Any]] = [
            [value for chunk in column.chunks for value in python_values(chunk)] for column in some.columns
        ]
        for number, values in zip(numbers, zip(*columns, strict=True), strict=True):
            row = dict(zip(some.schema.names, values, strict=True))
            try:
                yield number, to_example(row, shape, place(number))
            except DataError as error:
                yield number, error


def _with(texts: pa.ChunkedArray, found: dict[int, str], place: Callable[[int], Where]) -> pa.ChunkedArray:
    """Return the texts with those that were found out apart."""
    if not found:
        return texts
    chunks, first = [], 0
    for chunk in texts.chunks:
        own = [row for row in range(first, first + len(chunk)) if row in found]
        if own:
            mask = np.zeros(len(chunk), np.bool_)
            mask[np.asarray(own) - first] = True
            values = pa.array([held_text(found[row], place(row)) for row in own], pa.string())
            chunk = pc.replace_with_mask(chunk, pa.array(mask), values)
        chunks.append(chunk)
        first += len(chunk)
    return pa.chunked_array(chunks, pa.string())


def held_text(text: str, where: Where) -> str:
    """Return the text, which raises DataError where it has half a character."""
    half = next((character for character in text if ord(character) in _SURROGATES), None)
    if half is None:
        return text
    raise DataError(
        "the row has half a character, which no text can hold",
        where=where,
        expected="surrogates in pairs",
        got=ascii(half),
    )
