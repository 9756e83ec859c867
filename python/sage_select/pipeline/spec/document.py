"""The text of a spec: YAML 1.2 or TOML into plain values, with the line of each YAML key."""

from __future__ import annotations

import datetime
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sage_select.errors import UsageError, Where
from sage_select.paths import user_path
from sage_select.pipeline.spec.yaml_values import YamlValues

__all__ = ["Document", "parse"]

_MOST_BYTES: Final = 1 << 20
_DEEPEST: Final = 20


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
        If the file is missing, no regular file, too large, not UTF-8, or not well-formed YAML or TOML; aliases, tags
        but those of plain values, and repeated keys are refused.
    """
    content = _content(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = Where(str(path), line=content.count(b"\n", 0, error.start) + 1)
        raise UsageError("the spec is not UTF-8", where=where, got=f"byte {error.start}") from None
    if path.suffix == ".toml":
        return _toml(text, path)
    return _yaml(text, path)


def _content(path: Path) -> bytes:
    """Read a regular file; opening a pipe must not wait for a writer, and a device has no end."""
    try:
        number = os.open(user_path(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError("cannot read the spec", where=str(path), got=error.strerror) from None
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, device or socket"
        raise UsageError(f"the spec is {kind}, not a file", where=str(path))
    with os.fdopen(number, "rb") as file:
        try:
            content = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise UsageError("cannot read the spec", where=str(path), got=error.strerror) from None
    if len(content) > _MOST_BYTES:
        raise UsageError("the spec is too large", where=str(path), expected=f"at most {_MOST_BYTES:,} bytes")
    return content


def _toml(text: str, path: Path) -> Document:
    try:
        value = tomllib.loads(text)
    except RecursionError:
        raise UsageError("the spec is nested too deep", where=str(path)) from None
    except ValueError as error:  # the library's own, and Python's of dates and numbers that there are not
        said = str(error).partition("\n")[0]
        if said.startswith("Exceeds the limit"):
            raise UsageError("a number in the spec is too long", where=str(path)) from None
        line = re.search(r"\(at line (\d+), column \d+\)", said)
        where = Where(str(path), line=int(line.group(1)) if line else None)
        raise UsageError("the spec is not well-formed TOML", where=where, got=said) from None
    return Document(_plain(value, path, 0), str(path), {})


def _plain(value: Any, path: Path, depth: int) -> Any:
    """Return a TOML value with dates as the text they were."""
    if depth > _DEEPEST:
        raise UsageError("the spec is nested too deep", where=str(path))
    if isinstance(value, dict):
        return {key: _plain(one, path, depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, path, depth + 1) for one in value]
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else value


def _yaml(text: str, path: Path) -> Document:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    values = YamlValues(str(path), _DEEPEST)
    try:
        tree = YAML(typ="safe", pure=True).compose(text)
        return Document(None if tree is None else values.of(tree, ()), str(path), values.lines)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = Where(str(path), line=None if mark is None else mark.line + 1)
        raise UsageError("the spec is not well-formed YAML", where=where, got=error.problem) from None
    except RecursionError:
        raise UsageError("the spec is nested too deep", where=str(path)) from None
    except (YAMLError, ValueError) as error:
        said = str(error).strip().partition("\n")[0]
        raise UsageError("the spec is not well-formed YAML", where=str(path), got=said or None) from None
