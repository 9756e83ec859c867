"""The nodes of a YAML document as plain values: text, numbers, truth values, null, lists and mappings."""

from __future__ import annotations

import re
from typing import Any, Final

from sage_select.declare.problems import shortened
from sage_select.errors import Problem
from sage_select.pipeline.spec.places import KeyPath, Place, Places, spelt

__all__ = ["YamlValues"]

_TAG: Final = "tag:yaml.org,2002:"
_INTEGER: Final = re.compile(r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9A-Fa-f_]+|[0-9][0-9_]*)")
_FLOAT: Final = re.compile(
    r"[-+]?(\.inf|\.Inf|\.INF|\.nan|\.NaN|\.NAN|[0-9][0-9_]*\.?[0-9_]*([eE][-+]?[0-9]+)?|\.[0-9_]+([eE][-+]?[0-9]+)?)"
)
_TRUTH: Final = {"true": True, "false": False}
_MOST_DIGITS: Final = 100


class _Fault(Exception):  # noqa: N818  (it never leaves this module)
    """A node is no plain value."""

    def __init__(self, node: Any, message: str, got: str | None = None) -> None:
        super().__init__(message)
        self.problem = (node, message, got)


class YamlValues:
    """Turns composed nodes into values, and remembers the place of each key and value.

    Dates are text: no setting of a spec is one. Tags that stand for no plain value, anchors, aliases, merged mappings,
    repeated keys and keys that are no text are problems; what they stand for is left out.

    Attributes
    ----------
    places
        Where keys and values stand.
    problems
        What is no plain value, and where.
    faulty
        The paths of these.
    """

    def __init__(self, file: str, deepest: int) -> None:
        self._file = file
        self._deepest = deepest
        self.places = Places()
        self.problems: list[Problem] = []
        self.faulty: set[KeyPath] = set()

    def of(self, node: Any, path: KeyPath) -> Any:
        """Return the value of a node; None where it is none, and a problem then."""
        try:
            return self._value(node, path)
        except _Fault as fault:
            self._add(path, *fault.problem)
            self.faulty.add(path)
            return None

    def _value(self, node: Any, path: KeyPath) -> Any:
        if len(path) > self._deepest:
            raise _Fault(node, "the spec is nested too deep")
        tag = str(node.tag)
        if node.anchor or not tag.startswith(_TAG):
            raise _Fault(node, "anchors, aliases and tags have no place in a spec")
        self.places.keys.setdefault(path, _place(node))
        if node.id == "scalar":
            self.places.values[path] = _place(node)
            return self._scalar(node, tag.removeprefix(_TAG))
        if node.id == "sequence" and tag == f"{_TAG}seq":
            return [self.of(child, (*path, index)) for index, child in enumerate(node.value)]
        if node.id == "mapping" and tag == f"{_TAG}map":
            return self._mapping(node, path)
        raise _Fault(node, "anchors, aliases and tags have no place in a spec")

    def _mapping(self, node: Any, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, child in node.value:
            name = str(key.value)
            if key.id != "scalar" or str(key.tag) == f"{_TAG}merge":
                self._add(path, key, "a key of the spec is no text")
                continue
            if (*path, name) in self.places.keys:
                self._add((*path, name), key, f"the spec is not well-formed YAML: the key {name!r} stands twice")
                continue
            self.places.keys[(*path, name)] = _place(key)
            value = self.of(child, (*path, name))
            if (*path, name) not in self.faulty:
                values[name] = value
        return values

    def _add(self, path: KeyPath, node: Any, message: str, got: str | None = None) -> None:
        text = f"{message}: {got}" if got else message
        self.problems.append(Problem(text, self._file, *_place(node), spelt(path), got=got))

    def _scalar(self, node: Any, kind: str) -> Any:
        text = str(node.value)
        if kind in ("str", "timestamp"):
            return text
        if kind == "null":
            return None
        if kind == "bool" and text.lower() in _TRUTH:
            return _TRUTH[text.lower()]
        if kind in ("int", "float") and len(text) > _MOST_DIGITS:
            raise _Fault(node, "a number in the spec is too long", got=f"{len(text):,} digits")
        if kind == "int" and _INTEGER.fullmatch(text):
            digits = text.replace("_", "")
            bare = digits.lstrip("+-")
            base = {"0b": 2, "0o": 8, "0x": 16}.get(bare[:2])
            return int(digits, 10 if base is None else base)
        if kind == "float" and _FLOAT.fullmatch(text):
            return float(re.sub(r"(?i)\.(?=inf|nan)", "", text.replace("_", "")))
        raise _Fault(node, f"this is no {_NAMES.get(kind, 'plain value')}", got=shortened(text))


_NAMES: Final = {"int": "whole number", "float": "number", "bool": "truth value (true or false)"}


def _place(node: Any) -> Place:
    return Place(int(node.start_mark.line) + 1, int(node.start_mark.column) + 1)
