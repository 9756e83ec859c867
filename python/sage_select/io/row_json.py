"""Rows of JSON: strict, but for whole numbers of more than 64 bits in what is held as JSON text anyway."""

from __future__ import annotations

from typing import Any

from sage_select.io.layout import CONTENT_KEYS, TEXT_KEYS
from sage_select.io.strict_json import StrictJsonError, WideIntegerError, decode, decode_at

__all__ = ["WideColumnError", "row_at", "row_of"]


class WideColumnError(StrictJsonError):
    """A row holds a whole number of more than 64 bits in a column, which has no type for it."""

    def __init__(self, message: str, column: str | None) -> None:
        super().__init__(message)
        self.column = column


def row_of(text: str) -> Any:
    """Return the one value that `text` holds.

    Raises
    ------
    StrictJsonError
        As `decode`; a `WideColumnError` where a number is too wide for its place.
    """
    try:
        return decode(text)
    except WideIntegerError as error:
        value = decode(text, wide=True)
        _check(value, error)
        return value


def row_at(text: str, start: int) -> tuple[Any, int]:
    """Return the value that begins at `start` and the offset after it; it raises as `row_of`."""
    try:
        return decode_at(text, start)
    except WideIntegerError as error:
        value, end = decode_at(text, start, wide=True)
        _check(value, error)
        return value, end


def _check(row: Any, error: WideIntegerError) -> None:
    if type(row) is not dict:
        raise WideColumnError(error.message, None)
    for name, value in row.items():
        if _is_too_wide(value, name, 0):
            raise WideColumnError(error.message, name)


def _is_too_wide(value: Any, name: str, depth: int) -> bool:
    """Tell whether a whole number of more than 64 bits is here, or below here where the layout is not JSON text."""
    if type(value) is int:
        return not -(2**63) <= value < 2**63
    if type(value) not in (dict, list) or name in TEXT_KEYS:
        return False
    if type(value) is list:
        return any(_is_too_wide(item, "item", depth + 1) for item in value)
    if name in CONTENT_KEYS and depth > 0:
        return False
    return any(_is_too_wide(member, key, depth + 1) for key, member in value.items())
