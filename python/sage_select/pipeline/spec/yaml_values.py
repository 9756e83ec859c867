"""The nodes of a YAML document as plain values: text, numbers, truth values, null, lists and mappings."""

from __future__ import annotations

import re
from typing import Any, Final

from sage_select.errors import UsageError, Where
from sage_select.pipeline.problems import shortened

__all__ = ["YamlValues"]

_TAG: Final = "tag:yaml.org,2002:"
_INTEGER: Final = re.compile(r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9A-Fa-f_]+|[0-9][0-9_]*)")
_FLOAT: Final = re.compile(
    r"[-+]?(\.inf|\.Inf|\.INF|\.nan|\.NaN|\.NAN|[0-9][0-9_]*\.?[0-9_]*([eE][-+]?[0-9]+)?|\.[0-9_]+([eE][-+]?[0-9]+)?)"
)
_TRUTH: Final = {"true": True, "false": False}
_MOST_DIGITS: Final = 100


class YamlValues:
    """Turns composed nodes into values, and remembers the line of each key in `lines`.

    Dates are text: no setting of a spec is one. Tags that stand for no plain value, anchors, aliases, merged mappings,
    repeated keys and keys that are no text are refused.
    """

    def __init__(self, file: str, deepest: int) -> None:
        self._file = file
        self._deepest = deepest
        self.lines: dict[tuple[str | int, ...], int] = {}

    def of(self, node: Any, place: tuple[str | int, ...]) -> Any:
        """Return the value of a node.

        Raises
        ------
        UsageError
            With the line, where it has none.
        """
        if len(place) > self._deepest:
            raise self._error(node, "the spec is nested too deep")
        tag = str(node.tag)
        if node.anchor or not tag.startswith(_TAG):
            raise self._error(node, "anchors, aliases and tags have no place in a spec")
        self.lines.setdefault(place, _line(node))
        if node.id == "scalar":
            return self._scalar(node, tag.removeprefix(_TAG))
        if node.id == "sequence" and tag == f"{_TAG}seq":
            return [self.of(child, (*place, index)) for index, child in enumerate(node.value)]
        if node.id == "mapping" and tag == f"{_TAG}map":
            return self._mapping(node, place)
        raise self._error(node, "anchors, aliases and tags have no place in a spec")

    def _mapping(self, node: Any, place: tuple[str | int, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, child in node.value:
            if key.id != "scalar" or str(key.tag) == f"{_TAG}merge":
                raise self._error(key, "a key of the spec is no text")
            name = str(key.value)
            if name in values:
                raise self._error(key, "the spec is not well-formed YAML", got=f"the key {name!r} stands twice")
            self.lines[(*place, name)] = _line(key)
            values[name] = self.of(child, (*place, name))
        return values

    def _scalar(self, node: Any, kind: str) -> Any:
        text = str(node.value)
        if kind in ("str", "timestamp"):
            return text
        if kind == "null":
            return None
        if kind == "bool" and text.lower() in _TRUTH:
            return _TRUTH[text.lower()]
        if kind in ("int", "float") and len(text) > _MOST_DIGITS:
            raise self._error(node, "a number in the spec is too long", got=f"{len(text):,} digits")
        if kind == "int" and _INTEGER.fullmatch(text):
            digits = text.replace("_", "")
            bare = digits.lstrip("+-")
            base = {"0b": 2, "0o": 8, "0x": 16}.get(bare[:2])
            return int(digits, 10 if base is None else base)
        if kind == "float" and _FLOAT.fullmatch(text):
            return float(re.sub(r"(?i)\.(?=inf|nan)", "", text.replace("_", "")))
        raise self._error(node, f"this is no {_NAMES.get(kind, 'plain value')}", got=shortened(text))

    def _error(self, node: Any, message: str, got: str | None = None) -> UsageError:
        return UsageError(message, where=Where(self._file, line=_line(node)), got=got)


_NAMES: Final = {"int": "whole number", "float": "number", "bool": "truth value (true or false)"}


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1
