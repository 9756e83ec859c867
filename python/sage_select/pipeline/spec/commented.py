"""A spec to begin with: every step and key with its help, and what need not be said commented out."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sage_select.pipeline.pipeline import SPEC_VERSION
from sage_select.pipeline.spec.keys import Key, keys_of
from sage_select.pipeline.stage import STAGES, Stage

__all__ = ["commented_spec"]

_WIDTH: Final = 110
#: Where the keys of a step begin.
_INDENT: Final = " " * 6
#: Steps that stand in every pipeline; those by default stand in it as well, all others are commented out.
_ALWAYS: Final = ("source", "select")
_PLAIN: Final = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")
_WORDS_OF_YAML: Final = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))

_HEAD: Final = (
    "A pipeline of sage-select. `sage-select build` runs it where no input is named, `sage-select plan` "
    "says what it would do. A line that begins with #, and has no space behind it, is a key or a step that is left "
    "out: without the # it is there, and a key that has a value says what holds anyway."
)


def commented_spec(
    source: Mapping[str, Any],
    remarks: Sequence[str] = (),
    examples: Mapping[str, Any] | None = None,
    schema: str | None = None,
) -> str:
    """Return a spec in YAML, which runs as it stands.

    Parameters
    ----------
    source
        The settings of its source.
    remarks
        Sentences about the source.
    examples
        Keys of the source that are left out -> a value for whoever wants one.
    schema
        The file that holds the JSON schema, where there is one: editors are told of it.
    """
    lines = [f"# yaml-language-server: $schema={schema}"] if schema else []
    lines += [
        *_comment([_HEAD], ""),
        "",
        f"version: {SPEC_VERSION}",
        "",
        "# same seed, same rows",
        "seed: 0",
        "",
        "steps:",
    ]
    for name, stage in STAGES.items():
        own = (source, remarks, examples or {}) if name == "source" else ({}, (), {})
        lines += ["", *_step(name, stage, *own)]
    return "\n".join(lines) + "\n"


def _step(
    name: str, stage: type[Stage], given: Mapping[str, Any], remarks: Sequence[str], examples: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the lines of a step: what it is for, and its keys."""
    yield from _comment([f"{stage.summary()}."], "  ")
    inside = [f"  - {name}:", *_comment(remarks, _INDENT)]
    for key in keys_of(stage):
        inside += _comment(_told(key), _INDENT)
        said = given.get(key.name)
        if said is None and (key.needed and not key.users):
            said = key.metavar if key.example is None else key.example
        if said is None and (key.members or key.short) and not key.users:
            said = key.value
        value = said if said is not None else examples.get(key.name, key.value)
        inside.append(f"{_INDENT}{'#' if said is None else ''}{key.name}:{'' if value is None else ' ' + _yaml(value)}")
    if name in _ALWAYS or stage.by_default:
        yield from inside
    else:
        yield from (f"{line[:2]}#{line[2:]}" for line in inside)


def _told(key: Key) -> Iterator[str]:
    """Yield what a key is for, in lines: whose it is, its help, what it takes, and what may be chosen by it."""
    whose = f"of {key.whose}: " if key.users else ""
    facts = [*([key.takes] if not key.members else []), key.range]
    facts += [f"where {other} is {' or '.join(_words(values))}" for other, values in key.when.items()]
    facts += ["must be given"] if key.needed else []
    facts += [f"default: {key.default}"] if key.default and key.value is None else []
    shown = "; ".join(fact.replace("`", "") for fact in facts if fact)
    yield f"{whose}{key.help}" + (f" [{shown}]" if shown else "") + (":" if key.members else "")
    yield from (f"  {name}: {does[:1].lower()}{does[1:]}" for name, does in key.members.items())


def _words(values: str | tuple[str, ...]) -> Sequence[str]:
    return [values] if isinstance(values, str) else values


def _comment(texts: Iterable[str], indent: str) -> list[str]:
    """Return texts as comments, each wrapped and with the indentation that it has."""
    lines = []
    for text in texts:
        inner = " " * (len(text) - len(text.lstrip()))
        first, later = f"{indent}# {inner}", f"{indent}# {inner}{inner}"
        lines += textwrap.wrap(text.strip(), _WIDTH, initial_indent=first, subsequent_indent=later)
    return lines


def _yaml(value: Any) -> str:
    """Return a plain value in YAML."""
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML:
        return value
    return json.dumps(value, ensure_ascii=False)
