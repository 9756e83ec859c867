"""The keywords of `select` that stages declare: found by name, and told in its signature and docstring."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pydantic.fields import FieldInfo

from sage_select.declare.option import Option, option_of, values_of
from sage_select.declare.settings import Choice
from sage_select.errors import UsageError, nearest
from sage_select.pipeline import STAGES
from sage_select.pipeline.clashes import keyword_of
from sage_select.stages import Select
from sage_select.values.location import Reads, location_of

__all__ = ["by_stage", "document", "files"]

_WIDTH: Final = 108
#: What the command line has options for, and `select` takes by the argument of the values themselves.
_BY_NAME: Final = {
    "score_column": "scores takes the name of a column, too",
    "embedding_column": "embeddings takes the name of a column, too",
}


def files() -> list[str]:
    """Return the settings of the selection that name a file, and for which a program may hand values over."""
    marks = ((name, location_of(info)) for name, info in Select.options().items())
    return [name for name, mark in marks if isinstance(mark, Reads) and mark.kind == "file"]


def _keywords() -> Iterator[tuple[str, str, str, FieldInfo]]:
    """Yield the keywords: each with its stage, and what that calls it."""
    for stage, kind in STAGES.items():
        for name, info in kind.options().items():
            if (keyword := keyword_of(kind, name, info)) is not None:
                yield keyword, stage, name, info


def by_stage(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return keywords by the stage that they set; those that are None are as if they were not there.

    Raises
    ------
    UsageError
        If no stage has a setting of this name, with the nearest.
    """
    owners = {keyword: (stage, name) for keyword, stage, name, _ in _keywords()}
    found: dict[str, dict[str, Any]] = {stage: {} for stage, _ in owners.values()}
    for name, value in options.items():
        if name not in owners:
            hint = _BY_NAME.get(name) or nearest(name, owners) or "help(select) lists them"
            raise UsageError(f"select() has no argument {name!r}", hint=hint)
        if value is not None:
            stage, setting = owners[name]
            found[stage][setting] = value
    return found


def document(function: Callable[..., Any]) -> None:
    """Spell `**options` of a function out in its signature and docstring, where the latter says OPTIONS."""
    signature = inspect.signature(function)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    derived = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation="Any")
        for name, *_ in _keywords()
    ]
    function.__signature__ = signature.replace(parameters=[*own, *derived])  # type: ignore[attr-defined]
    lines = [line for name, _, _, info in _keywords() for line in _entry(name, info)]
    function.__doc__ = (function.__doc__ or "").replace("        OPTIONS", "\n".join(lines))


def _entry(name: str, info: FieldInfo) -> list[str]:
    mark = option_of(info) or next(one for one in info.metadata if isinstance(one, Choice))
    if isinstance(mark, Option):
        words = " | ".join(f"`{word}`" for word in values_of(info.annotation))
        facts = [one for one in (words, _default(info, mark), mark.range) if one]
        text = mark.help + (f" ({'; '.join(facts)})" if facts else "")
    else:
        members = ", ".join(f"`{member}`" for member in mark.registry)
        text = f"{mark.help}: {members} (default {mark.default})"
    return textwrap.wrap(f"{name}: {text}.", _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 12)


def _default(info: FieldInfo, mark: Option) -> str:
    if mark.default is None and (info.default is None or info.is_required()):
        return ""
    value = f"{info.default:g}" if isinstance(info.default, float) else str(info.default)
    return f"default {mark.default or value}"
