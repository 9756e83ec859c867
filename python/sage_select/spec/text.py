"""The text of a spec: YAML 1.2 or TOML into plain values, with the line of each YAML key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sage_select.errors import UsageError, Where

__all__ = ["Document", "parse"]

_MOST_BYTES = 1 << 20
_DEEPEST = 20


@dataclass(frozen=True)
class Document:
    """A parsed spec: its value, its file, and the line of each key (empty where the format keeps none)."""

    value: Any
    file: str | None
    lines: Mapping[tuple[str | int, ...], int]

    def line_of(self, path: tuple[str | int, ...]) -> int | None:
        """Return the line (from 1) of the key at `path`, or of the nearest key above it that has one."""
        return next((self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), None)


def parse(path: Path) -> Document:
    """Parse a spec file by its suffix.

    Raises
    ------
    UsageError
        If the file is missing, too large, not UTF-8, or not well-formed YAML or TOML; aliases, tags and
        repeated keys are refused.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError("cannot read the spec", where=str(path), got=error.strerror) from None
    if len(content) > _MOST_BYTES:
        raise UsageError("the spec is too large", where=str(path), expected=f"at most {_MOST_BYTES:,} bytes")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError("the spec is not UTF-8", where=str(path), got=f"byte {error.start}") from None
    if path.suffix == ".toml":
        return _toml(text, path)
    return _yaml(text, path)


def _toml(text: str, path: Path) -> Document:
    try:
        return Document(tomllib.loads(text), str(path), {})
    except tomllib.TOMLDecodeError as error:
        raise UsageError("the spec is not well-formed TOML", where=str(path), got=str(error)) from None


def _yaml(text: str, path: Path) -> Document:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

    lines: dict[tuple[str | int, ...], int] = {}

    def walk(node: Node, place: tuple[str | int, ...]) -> None:
        if len(place) > _DEEPEST:
            raise UsageError("the spec is nested too deep", where=Where(str(path), line=node.start_mark.line + 1))
        if node.anchor or not str(node.tag).startswith("tag:yaml.org,2002:") or "python" in str(node.tag):
            line = node.start_mark.line + 1
            raise UsageError("anchors, aliases and tags have no place in a spec", where=Where(str(path), line=line))
        lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            for key, value in node.value:
                lines[(*place, key.value)] = key.start_mark.line + 1
                walk(value, (*place, key.value))
        elif isinstance(node, SequenceNode):
            for index, value in enumerate(node.value):
                walk(value, (*place, index))

    try:
        tree = YAML(typ="safe", pure=True).compose(text)
        if tree is not None:
            walk(tree, ())
        return Document(YAML(typ="safe", pure=True).load(text), str(path), lines)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = Where(str(path), line=None if mark is None else mark.line + 1)
        raise UsageError("the spec is not well-formed YAML", where=where, got=error.problem) from None
    except (YAMLError, RecursionError) as error:
        raise UsageError("the spec is not well-formed YAML", where=str(path), got=type(error).__name__) from None
