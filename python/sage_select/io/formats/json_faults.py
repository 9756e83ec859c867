"""What is wrong with JSON that the kernel refused, in words: the same rules, one value after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from sage_select.errors import DataError, Where
from sage_select.io.formats.text import decoded
from sage_select.io.tables.strict_json import StrictJsonError, WideIntegerError, decode, decode_at

__all__ = ["array_fault", "element_fault", "line_fault", "row_of", "whole_elements"]

#: What helps against a number that no column holds.
_AS_STRING: Final = 'give it as a string: "..."'
_WHITESPACE: Final = " \t\r\n"
#: Names whose values are held as JSON text, which takes whole numbers of any size; see the crate of the kernel.
_TEXT_KEYS: Final = frozenset({"tools", "arguments", "parameters"})
_CONTENT_KEYS: Final = frozenset({"content", "value"})


class _WideColumnError(StrictJsonError):
    """A row holds a whole number of more than 64 bits in a column, which has no type for it."""

    def __init__(self, message: str, column: str | None) -> None:
        super().__init__(message)
        self.column = column


def row_of(text: str) -> Any:
    """Return the one value that `text` holds; whole numbers of any size only where they are held as JSON text.

    Raises
    ------
    StrictJsonError
        As `decode`.
    """
    try:
        return decode(text)
    except WideIntegerError as error:
        value = decode(text, wide=True)
        _check(value, error)
        return value


def line_fault(data: bytes, where: Where) -> DataError:
    """Return what is wrong with a line that holds no row."""
    try:
        text = decoded(data, where)
        value = row_of(text)
    except DataError as error:
        return error
    except StrictJsonError as error:
        stripped = len(text) - len(text.lstrip(_WHITESPACE))
        position = None if error.position is None else error.position + stripped + 1
        hint = None
        if where.line == 1 and error.position is not None and text.strip(_WHITESPACE) in ("{", "["):
            hint = "give one object a line, or one array of objects"
        if isinstance(error, _WideColumnError):
            where, hint = replace(where, column=error.column), _AS_STRING
        return _not_strict(error, where, position, hint)
    return _no_row(value, where)


def element_fault(data: bytes, where: Where) -> DataError:
    """Return what is wrong with an element of an array that is JSON, and no row."""
    return _no_row(row_of(decoded(data, where)), where)


def array_fault(data: bytes, name: str) -> DataError:
    """Return what is wrong with the first element of an array that is no strict JSON."""
    try:
        text = decoded(data, Where(file=name))
    except DataError as error:
        return error
    try:
        end, row = _walk(text)
    except _ArrayError as error:
        line = text.count("\n", 0, error.start) + 1
        return _in_array(error.cause, text, Where(file=name, row=error.row, line=line))
    trailing = _skip(text, end + 1)
    if trailing < len(text):
        return _in_array(StrictJsonError("more text after the array", trailing), text, Where(file=name))
    return DataError("is no array that can be read", where=Where(file=name, row=row))


def whole_elements(data: bytes) -> bytes:
    """Return the array of the elements that are whole, of an array that may be cut anywhere."""
    text = data.decode("utf-8", errors="ignore")
    try:
        _walk(text)
    except _ArrayError as error:
        whole = text[: error.start].rstrip(_WHITESPACE).removesuffix(",")
        return whole.encode() + b"]"
    return data


class _ArrayError(Exception):
    """What begins at `start` is no strict JSON; all elements before are."""

    def __init__(self, cause: StrictJsonError, row: int, start: int) -> None:
        super().__init__(cause.message)
        self.cause = cause
        self.row = row
        self.start = start


def _walk(text: str) -> tuple[int, int]:
    """Return where an array is closed and how many elements it has."""
    position, row = _skip(text, text.index("[") + 1), 0
    closed = text.startswith("]", position)
    while not closed:
        try:
            end = _element_end(text, position)
        except StrictJsonError as error:
            raise _ArrayError(error, row, position) from None
        after = _skip(text, end)
        closed = text.startswith("]", after)
        if not closed and not text.startswith(",", after):
            # The next element is the one that is not reached.
            raise _ArrayError(StrictJsonError("not JSON: expected ',' or ']'", after), row + 1, end)
        row += 1
        position = after if closed else _skip(text, after + 1)
    return position, row


def _element_end(text: str, start: int) -> int:
    try:
        return decode_at(text, start)[1]
    except WideIntegerError as error:
        value, end = decode_at(text, start, wide=True)
        _check(value, error)
        return end


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _WHITESPACE:
        position += 1
    return position


def _no_row(value: Any, where: Where) -> DataError:
    if isinstance(value, dict):
        if "" in value:
            return DataError("a key of the row is empty", where=where, hint="give the column a name")
        # The kernel refuses two faults where this reader finds one alone, and that in a value.
        return DataError("a string holds half of a surrogate pair", where=where)
    return DataError(
        "a row is not an object", where=where, expected='an object such as {"text": "..."}', got=_kind_name(value)
    )


def _in_array(error: StrictJsonError, text: str, where: Where) -> DataError:
    if isinstance(error, _WideColumnError):
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


def _check(row: Any, error: WideIntegerError) -> None:
    if type(row) is not dict:
        raise _WideColumnError(error.message, None)
    for name, value in row.items():
        if _is_too_wide(value, name, 0):
            raise _WideColumnError(error.message, name)


def _is_too_wide(value: Any, name: str, depth: int) -> bool:
    """Tell whether a whole number of more than 64 bits is here, or below here where the layout is not JSON text."""
    if type(value) is int:
        return not -(2**63) <= value < 2**63
    if type(value) not in (dict, list) or name in _TEXT_KEYS:
        return False
    if type(value) is list:
        return any(_is_too_wide(item, "item", depth + 1) for item in value)
    if name in _CONTENT_KEYS and depth > 0:
        return False
    return any(_is_too_wide(member, key, depth + 1) for key, member in value.items())
