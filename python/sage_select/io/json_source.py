"""JSON lines and JSON arrays as batches of row objects with the line of each row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sage_select.errors import DataError, Where
from sage_select.io.opened import Input
from sage_select.io.progress import Meter
from sage_select.io.row_json import WideColumnError, row_at, row_of
from sage_select.io.sniff import Format
from sage_select.io.strict_json import StrictJsonError
from sage_select.io.text import Text, decoded, open_text

__all__ = ["BATCH_CHARACTERS", "BATCH_ROWS", "JsonBatch", "json_batches", "json_rows"]

#: A batch ends at whichever comes first, so that neither short nor long rows need much memory.
BATCH_ROWS: Final = 16384
BATCH_CHARACTERS: Final = 16 << 20
#: What helps against a number that no column holds.
_AS_STRING: Final = 'give it as a string: "..."'
_WHITESPACE: Final = " \t\r\n"


@dataclass
class JsonBatch:
    """Consecutive rows of one file; `lines` is empty for objects in memory, which have none.

    Rows that cannot be used keep their place as an object without keys; `bad` says what is wrong with them.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    characters: int = 0
    bad: dict[int, DataError] = field(default_factory=dict)

    def add(self, row: dict[str, Any] | DataError, line: int, characters: int) -> bool:
        """Append a row and tell whether the batch is full."""
        if isinstance(row, DataError):
            self.bad[len(self.rows)] = row
            row = {}
        self.rows.append(row)
        self.lines.append(line)
        self.characters += characters
        return len(self.rows) >= BATCH_ROWS or self.characters >= BATCH_CHARACTERS


def json_batches(source: Input, kind: Format, meter: Meter) -> Iterator[JsonBatch]:
    """Yield the rows of a JSON file, bad ones included; the same file is always cut at the same rows.

    Raises
    ------
    DataError
        Where a file cannot be read on: damaged, or an array that is no strict JSON.
    """
    with open_text(source, meter) as file:
        batch = JsonBatch()
        for value, line, characters in json_rows(file, kind):
            if batch.add(value, line, characters):
                yield batch
                batch = JsonBatch()
        if batch.rows:
            yield batch


def json_rows(file: Text, kind: Format) -> Iterator[tuple[dict[str, Any] | DataError, int, int]]:
    """Yield (row, or what is wrong with it; its line; its characters); it raises as `json_batches` does."""
    rows = _array_elements(file) if kind is Format.JSON_ARRAY else _line_objects(file)
    for row, (value, line, characters) in enumerate(rows):
        if isinstance(value, DataError) or (isinstance(value, dict) and "" not in value):
            yield value, line, characters
            continue
        if isinstance(value, dict):
            where = Where(file=file.source.name, row=row, line=line)
            yield DataError("a key of the row is empty", where=where, hint="give the column a name"), line, characters
            continue
        problem = DataError(
            "a row is not an object",
            where=Where(file=file.source.name, row=row, line=line),
            expected='an object such as {"text": "..."}',
            got=_kind_name(value),
        )
        yield problem, line, characters


def _line_objects(file: Text) -> Iterator[tuple[Any, int, int]]:
    row = 0
    for number, data in file.lines():
        if data.strip():
            yield _line_object(data, Where(file=file.source.name, row=row, line=number)), number, len(data)
            row += 1


def _line_object(data: bytes, where: Where) -> Any:
    """Return the value that a line spells, or the error that says why it spells none."""
    try:
        text = decoded(data, where)
    except DataError as error:
        return error
    try:
        return row_of(text)
    except StrictJsonError as error:
        stripped = len(text) - len(text.lstrip(_WHITESPACE))
        position = None if error.position is None else error.position + stripped + 1
        hint = None
        if where.line == 1 and error.position is not None and text.strip(_WHITESPACE) in ("{", "["):
            hint = "give one object a line, or one array of objects"
        if isinstance(error, WideColumnError):
            where, hint = replace(where, column=error.column), _AS_STRING
        return _not_strict(error, where, position, hint)


def _array_elements(file: Text) -> Iterator[tuple[Any, int, int]]:
    name = file.source.name
    text = decoded(file.read_all(), Where(file=name))
    position = _skip(text, text.index("[") + 1)
    line, counted, row = 1, 0, 0
    closed = text.startswith("]", position)
    while not closed:
        line += text.count("\n", counted, position)
        counted = position
        try:
            value, end = row_at(text, position)
        except StrictJsonError as error:
            raise _in_array(error, text, Where(file=name, row=row, line=line)) from None
        yield value, line, end - position
        row += 1
        after = _skip(text, end)
        closed = text.startswith("]", after)
        if not closed and not text.startswith(",", after):
            raise _in_array(
                StrictJsonError("not JSON: expected ',' or ']'", after), text, Where(file=name, row=row, line=line)
            )
        position = after if closed else _skip(text, after + 1)
    trailing = _skip(text, position + 1)
    if trailing < len(text):
        raise _in_array(StrictJsonError("more text after the array", trailing), text, Where(file=name))


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _WHITESPACE:
        position += 1
    return position


def _in_array(error: StrictJsonError, text: str, where: Where) -> DataError:
    if isinstance(error, WideColumnError):
        return _not_strict(error, replace(where, column=error.column), None, _AS_STRING)
    if error.position is None:
        return _not_strict(error, where, None, None)
    line = text.count("\n", 0, error.position) + 1
    column = error.position - text.rfind("\n", 0, error.position)
    return _not_strict(error, Where(file=where.file, row=where.row, line=line), column, None)


def _not_strict(error: StrictJsonError, where: Where, character: int | None, hint: str | None) -> DataError:
    at = "" if character is None else f" at character {character}"
    return DataError(f"{error.message}{at}", where=where, hint=hint)


def _kind_name(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "a string", list: "a list"}
    return kinds[type(value)]
