"""The text of a spec: YAML 1.2 or TOML into plain values, with the place of each key and value."""

from __future__ import annotations

import datetime
import os
import re
import stat
import tomllib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sage_select.errors import Problem, UsageError
from sage_select.paths import user_path
from sage_select.pipeline.spec.places import KeyPath, Place, Places
from sage_select.pipeline.spec.toml_places import toml_places
from sage_select.pipeline.spec.yaml_values import YamlValues

__all__ = ["Document", "parse", "spec_error"]

_MOST_BYTES: Final = 1 << 20
_DEEPEST: Final = 20


@dataclass(frozen=True)
class Document:
    """A parsed spec.

    Attributes
    ----------
    value
        What it says, without what is no plain value.
    file
        Its name; None of a dictionary.
    places
        Where its keys and values stand.
    problems
        What is wrong with single values and keys of it, and where: the rest can be read all the same.
    faulty
        The places of these in `value`: absent there, or None in a list.
    """

    value: Any
    file: str | None = None
    places: Places = field(default_factory=Places)
    problems: tuple[Problem, ...] = ()
    faulty: frozenset[KeyPath] = frozenset()


def parse(path: Path, what: str = "spec") -> Document:
    """Parse a spec, or another file of settings (`what` messages call it), by its suffix.

    Raises
    ------
    UsageError
        If the file is missing, no regular file, too large, not UTF-8, or not well-formed YAML or TOML.
    """
    content = _content(path, what)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start)
        column = len(content[content.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8-sig")) + 1
        raise _broken(
            path, what, f"the {what} is not UTF-8", got=f"byte {error.start}", place=Place(line + 1, column)
        ) from None
    if path.suffix == ".toml":
        return _toml(text, path, what)
    return _yaml(text, path, what)


def _content(path: Path, what: str) -> bytes:
    """Read a regular file; opening a pipe must not wait for a writer, and a device has no end."""
    try:
        number = os.open(user_path(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"cannot read the {what}", where=str(path), got=error.strerror) from None
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, device or socket"
        raise UsageError(f"the {what} is {kind}, not a file", where=str(path))
    with os.fdopen(number, "rb") as file:
        try:
            content = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise UsageError(f"cannot read the {what}", where=str(path), got=error.strerror) from None
    if len(content) > _MOST_BYTES:
        raise UsageError(f"the {what} is too large", where=str(path), expected=f"at most {_MOST_BYTES:,} bytes")
    return content


def _broken(path: Path, what: str, message: str, *, got: str | None = None, place: Place | None = None) -> UsageError:
    """Return the error for a text that is not read beyond its first fault."""
    line, column = place or (None, None)
    text = f"{message}: {got}" if got else message
    return spec_error(str(path), [Problem(text, str(path), line, column, got=got)], what)


def _toml(text: str, path: Path, what: str) -> Document:
    try:
        value = _plain(tomllib.loads(text), path, 0, what)
    except RecursionError:
        raise _broken(path, what, f"the {what} is nested too deep") from None
    except ValueError as error:  # the library's own, and Python's of dates and numbers that there are not
        said = str(error).partition("\n")[0]
        if said.startswith("Exceeds the limit"):
            raise _broken(path, what, f"a number in the {what} is too long") from None
        found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)", said)
        place = Place(int(found[1]), int(found[2])) if found and found[1] else None
        if found and not found[1]:
            place, said = (
                Place(text.count("\n") + 1, len(text) - text.rfind("\n")),
                said.replace(found[0], " at the end"),
            )
        said = said.replace(found[0], "") if found else said
        raise _broken(path, what, f"the {what} is not well-formed TOML", got=_lowered(said), place=place) from None
    return Document(value, str(path), toml_places(text))


def _plain(value: Any, path: Path, depth: int, what: str) -> Any:
    """Return a TOML value with dates as the text they were."""
    if depth > _DEEPEST:
        raise _broken(path, what, f"the {what} is nested too deep")
    if isinstance(value, dict):
        return {key: _plain(one, path, depth + 1, what) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, path, depth + 1, what) for one in value]
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else value


def _yaml(text: str, path: Path, what: str) -> Document:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        # An anchor that stands twice is warned of, and refused below.
        with warnings.catch_warnings(action="ignore"):
            tree = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = None if mark is None else Place(mark.line + 1, mark.column + 1)
        raise _broken(path, what, f"the {what} is not well-formed YAML", got=error.problem, place=place) from None
    except RecursionError:
        raise _broken(path, what, f"the {what} is nested too deep") from None
    except (YAMLError, ValueError) as error:
        said = str(error).strip().partition("\n")[0]
        at = getattr(error, "position", None)  # of a character that no YAML has
        place = None if at is None else Place(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
        raise _broken(path, what, f"the {what} is not well-formed YAML", got=said or None, place=place) from None
    values = YamlValues(str(path), _DEEPEST)
    value = None if tree is None else values.of(tree, ())
    return Document(value, str(path), values.places, tuple(values.problems), frozenset(values.faulty))


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def spec_error(file: str | None, problems: Sequence[Problem], what: str = "spec") -> UsageError:
    """Return the error that lists all problems of a spec, or what else the file is, in the order of their places."""
    count = len(problems)
    ordered = sorted(problems, key=lambda one: (one.line or 0, one.column or 0))
    return UsageError(f"{count} problem{'s' if count > 1 else ''} in the {what}", where=file, problems=ordered)
