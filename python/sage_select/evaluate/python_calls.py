"""Python calls in a list, as LFM 2 and Llama 4 write them: read by their syntax alone, nothing is ever run."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["Calls", "escaped_calls", "unescaped_calls"]

Calls = list[tuple[str, dict[str, Any]]]

_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_NAME: Final = re.compile(r"\s*([\w.]+)\(\s*")
_KEY: Final = re.compile(r"\s*(\w+)\s*=")
_NEXT_CALL: Final = re.compile(r"\)\s*,(?=\s*[\w.]+\()")
_END: Final = re.compile(r"\)\s*\]\s*\Z")
#: Where a value may end: before the next argument, the next call, or the end of all.
_VALUE_END: Final = re.compile(r"(?=,\s*\w+=|\)\s*,\s*[\w.]+\(|\)\s*\]\s*\Z)")
_DECODER: Final = json.JSONDecoder()


def escaped_calls(source: str) -> Calls | None:
    """Return the calls of a list, or of a single call, as Python reads them; None where it does not.

    Examples
    --------
    >>> escaped_calls("[search(q='x', n=[1, true]), book()]")
    [('search', {'q': 'x', 'n': [1, True]}), ('book', {})]
    """
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    calls = []
    for node in tree.elts if isinstance(tree, ast.List) else [tree]:
        if not isinstance(node, ast.Call) or node.args:
            return None
        named = {part.arg: _literal(part.value, source) for part in node.keywords if part.arg is not None}
        calls.append((ast.unparse(node.func), named))
    return calls


def unescaped_calls(source: str) -> Calls | None:
    r"""Return the calls of a list whose strings stand between quotes as they are, whatever they hold; None for none.

    A string ends where its quote is followed by the next argument, the next call or the end. Other values are JSON,
    or what Python writes.

    Examples
    --------
    >>> unescaped_calls("[search(q='it's \\n', n=2), book()]")
    [('search', {'q': "it's \\n", 'n': 2}), ('book', {})]
    """
    source = source.strip()
    if not source.startswith("[") or not source.endswith("]"):
        return None
    calls: Calls = []
    place = 1
    while True:
        name = _NAME.match(source, place)
        if name is None:
            return None
        read = _arguments(source, name.end())
        if read is None:
            return None
        calls.append((name[1], read[0]))
        place = read[1]
        following = _NEXT_CALL.match(source, place)
        if following is None:
            return calls if _END.match(source, place) else None
        place = following.end()


def _arguments(source: str, place: int) -> tuple[dict[str, Any], int] | None:
    """Read arguments up to the bracket that closes them."""
    found: dict[str, Any] = {}
    while not source.startswith(")", place):
        key = _KEY.match(source, place)
        if key is None:
            return None
        for end in _ends(source, key.end()):
            value = _value(source[key.end() : end])
            if value is not None:
                found[key[1]] = value[0]
                place = end + source.startswith(",", end)
                break
        else:
            return None
    return found, place


def _ends(source: str, place: int) -> Iterator[int]:
    return (match.start() for match in _VALUE_END.finditer(source, place))


def _value(text: str) -> tuple[Any] | None:
    """Return what a value is, in a tuple, or None where it ends further on."""
    if text[:1] in ("'", '"'):
        return (text[1:-1],) if len(text) > 1 and text[-1] == text[0] else None
    try:
        return (json.loads(text),)
    except (ValueError, RecursionError):
        pass
    try:
        return (_literal(ast.parse(text.strip(), mode="eval").body, text),)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _literal(node: ast.expr, source: str) -> Any:
    """Return the value of a literal, with the constants of JSON among those of Python; of anything else its text."""
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(one, source) for one in node.elts]
    if isinstance(node, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
        if all(isinstance(key, str) for key in keys):
            return {key: _literal(one, source) for key, one in zip(keys, node.values, strict=True)}
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return ast.get_source_segment(source, node)
