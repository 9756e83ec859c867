"""JSON as its standard has it: nothing that two readers would understand differently.

`NaN`, `Infinity`, repeated keys, halves of surrogate pairs, integers beyond 64 bits (unless `wide`) and very deep
nesting are refused. Python's C scanner does the work, so this runs at its speed.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

__all__ = ["MAX_DEPTH", "StrictJsonError", "WideIntegerError", "decode", "decode_at", "encode"]

#: Objects and lists inside each other; Arrow readers and the C scanner both stay far from their limits.
MAX_DEPTH: Final = 128
_WHITESPACE: Final = " \t\r\n"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_INT64_DIGITS: Final = 20


class StrictJsonError(ValueError):
    """A text is not strict JSON; `position` is the offset of the offending character, if known."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class WideIntegerError(StrictJsonError):
    """A whole number has more than 64 bits."""

    def __init__(self, digits: str) -> None:
        shown = digits if len(digits) <= 2 * _INT64_DIGITS else digits[:_INT64_DIGITS] + "..."
        super().__init__(f"the integer {shown} does not fit into 64 bits")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise StrictJsonError(f"the key {key!r} is given twice in one object")
            seen.add(key)
    return made


def _integer(digits: str) -> int:
    if len(digits) > _INT64_DIGITS or not -(2**63) <= (value := int(digits)) < 2**63:
        raise WideIntegerError(digits)
    return value


def _wide_integer(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:  # more digits than Python turns into a number
        raise WideIntegerError(digits) from None


def _constant(name: str) -> Any:
    raise StrictJsonError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_constant=_constant)
_WIDE_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_wide_integer, parse_constant=_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def decode_at(text: str, start: int, *, wide: bool = False) -> tuple[Any, int]:
    """Return the JSON value that begins at `start` and the offset after it; `wide` takes integers of any size.

    Raises
    ------
    StrictJsonError
        Where no strict JSON value begins there.
    """
    try:
        value, end = (_WIDE_DECODER if wide else _DECODER).raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise StrictJsonError(f"not JSON: {error.msg[0].lower()}{error.msg[1:]}", error.pos) from None
    except RecursionError:
        raise StrictJsonError(f"nested deeper than {MAX_DEPTH} levels") from None
    used = text if start == 0 and end == len(text) else text[start:end]
    if used.count("{") + used.count("[") > MAX_DEPTH and _depth(used) > MAX_DEPTH:
        raise StrictJsonError(f"nested deeper than {MAX_DEPTH} levels")
    if "\\ud" in used or "\\uD" in used:
        _refuse_half_characters(value)
    return value, end


def decode(text: str, *, wide: bool = False) -> Any:
    """Return the one JSON value that `text` holds, white space around it allowed; `wide` takes integers of any size.

    Examples
    --------
    >>> decode(' {"a": [1, null]} ')
    {'a': [1, None]}
    >>> decode('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    sage_select.io.tables.strict_json.StrictJsonError: the key 'a' is given twice in one object
    """
    text = text.strip(_WHITESPACE)
    value, end = decode_at(text, 0, wide=wide)
    if end != len(text):
        more = len(text) - len(text[end:].lstrip(_WHITESPACE))
        raise StrictJsonError("not JSON: more text after the value", more)
    return value


def encode(value: Any) -> str:
    """Return compact JSON text of a value, keys in their order, characters as they are.

    Raises
    ------
    StrictJsonError
        Where a number is not finite.
    """
    try:
        return _ENCODER.encode(value)
    except ValueError:
        raise StrictJsonError("a number is too large for a 64-bit float, or is not a number") from None


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in _STRING.sub("", text):
        if character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def _refuse_half_characters(value: Any) -> None:
    try:
        _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError:
        raise StrictJsonError("a string holds half of a surrogate pair") from None
    except ValueError:
        return  # not finite: refused with its own message where the column is built
