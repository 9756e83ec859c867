"""Values as a chat template sees them: no nulls for absent keys, objects for their JSON text, numbers as text.

`io.tables.nested` decodes for writing instead, where a null that the user gave and a key that is absent differ, and
JSON text that is none is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from sage_select.errors import DataError, Where
from sage_select.io.tables.nested import is_json_text

__all__ = [
    "EACH",
    "Path",
    "decode_json_text",
    "drop_nulls",
    "dump_json",
    "in_column",
    "is_list_type",
    "is_text_type",
    "json_paths",
    "python_values",
    "text_of",
    "try_json",
]


def dump_json(value: object) -> str:
    """Return JSON text with the separators that chat templates write, non-ASCII text kept."""
    return json.dumps(value, ensure_ascii=False)


def try_json(text: str) -> Any:
    """Return the object or list that `text` spells as JSON, or `text` itself where it spells none."""
    if text[:1] in ("{", "[") or text[:1].isspace():
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            return text
        if isinstance(parsed, dict | list):
            return parsed
    return text


def drop_nulls(value: Any) -> Any:
    """Return `value` without the null members that Arrow structs hold in place of absent keys.

    Examples
    --------
    >>> drop_nulls({"role": "user", "tool_calls": None, "parts": [None, {"x": None}]})
    {'role': 'user', 'parts': [None, {}]}
    """
    if isinstance(value, dict):
        return {key: drop_nulls(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [drop_nulls(member) for member in value]
    return value


def text_of(value: Any, column: str, where: Where | None) -> str:
    """Return a scalar as text; null is the empty text.

    Raises
    ------
    DataError
        The value is a list, a struct or bytes.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes | list | dict):
        raise DataError(
            "the value is not text",
            where=in_column(where, column),
            expected="text or a number",
            got=type(value).__name__,
        )
    return str(value)


def in_column(where: Where | None, column: str) -> Where:
    """Return `where` with the column filled in."""
    where = where or Where()
    return Where(file=where.file, row=where.row, line=where.line, column=column)


#: Steps from a row to a value: names of columns and struct members, and `EACH` into the members of a list.
Path = tuple[str, ...]
EACH = "[]"


def json_paths(schema: pa.Schema, columns: Iterable[str]) -> tuple[Path, ...]:
    """Return the paths of all fields under `columns` that are marked as JSON text."""
    return tuple(path for column in columns for path in _marked(schema.field(column), (column,)))


def _marked(field: pa.Field, path: Path) -> Iterator[Path]:
    kind = field.type
    if is_json_text(field):
        yield path
    elif pa.types.is_struct(kind):
        for child in kind:
            yield from _marked(child, (*path, child.name))
    elif is_list_type(kind):
        yield from _marked(kind.value_field, (*path, EACH))


def is_text_type(kind: pa.DataType) -> bool:
    """Return whether values of this Arrow type are text."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_list_type(kind: pa.DataType) -> bool:
    """Return whether values of this Arrow type are lists."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def python_values(array: pa.Array) -> list[Any]:
    """Return the values of an array as Python objects, Arrow maps as dictionaries."""
    values: list[Any] = array.to_pylist(maps_as_pydicts="lossy") if _has_map(array.type) else array.to_pylist()
    return values


def _has_map(kind: pa.DataType) -> bool:
    # Asking for dictionaries takes pyarrow fifteen times as long, so it is asked only where there are maps.
    if pa.types.is_map(kind):
        return True
    return any(_has_map(kind.field(index).type) for index in range(kind.num_fields))


def decode_json_text(row: Mapping[str, Any], paths: Sequence[Path], where: Where | None) -> dict[str, Any]:
    """Return `row` without Arrow's nulls and with the values at `paths` parsed from their JSON text.

    Nulls inside JSON text are the user's own and stay. `arguments` that are no valid JSON stay text: that is what
    the model said.

    Raises
    ------
    DataError
        Another value at one of `paths` is not valid JSON.
    """
    decoded: dict[str, Any] = drop_nulls(dict(row))
    for path in paths:
        _decode_at(decoded, path, 0, where)
    return decoded


def _decode_at(holder: Any, path: Path, depth: int, where: Where | None) -> None:
    """Replace, in place, the JSON text that `path` leads to from `holder`, which lies `depth` steps down."""
    if isinstance(holder, list):
        keys: Iterable[Any] = range(len(holder))
    else:
        keys = (path[depth],) if isinstance(holder, dict) and path[depth] in holder else ()
    for key in keys:
        if depth + 1 < len(path):
            _decode_at(holder[key], path, depth + 1, where)
        elif isinstance(holder[key], str):
            holder[key] = _parsed(holder[key], path, where)


def _parsed(text: str, path: Path, where: Where | None) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if path[-1] == "arguments":
            return text
        raise DataError(
            f"the JSON text of {'.'.join(path)} is not valid: {error}", where=in_column(where, path[0])
        ) from None
