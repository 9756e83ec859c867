"""Options of the command line, as classes of settings declare them: how they are typed, and their help."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin

import typer

__all__ = ["Flag", "annotation_of", "flags_of", "lowered"]

_KINDS: Final[Mapping[str, Any]] = {"text": str, "int": int, "float": float, "bool": bool}
#: What holds several values.
_SEVERAL: Final = (list, tuple, set, frozenset)


class Flag(NamedTuple):
    """One option of the command line.

    Attributes
    ----------
    stage, setting
        What it sets.
    spelling
        How it is typed: `--name`, `--yes/--no`, or the name of an argument.
    short
        A short spelling of it, or None.
    kind
        What comes after it: `text`, `int`, `float`, `bool` (nothing), `texts` (several; an argument unless its spelling
        begins with a dash).
    help
        What it does, with its default and the bounds of a number.
    group
        The heading under which it stands.
    metavar
        What stands for its value, such as the words that it takes, or None.
    replaces
        Settings of a spec in whose place it comes.
    switchable
        Whether the word none switches off what a spec says.
    words
        The words that it takes, where it takes no others.
    """

    stage: str
    setting: str
    spelling: str
    short: str | None
    kind: str
    help: str
    group: str
    metavar: str | None
    replaces: list[str]
    switchable: bool
    words: list[str]


def flags_of(
    stage: str, kind: Any, group: str, only: set[str] | None = None, users: dict[str, dict[str, Any]] | None = None
) -> Iterator[Flag]:
    """Yield the options that a class of settings declares itself.

    Parameters
    ----------
    stage
        What it is called, by which the options are told apart.
    kind
        The class, a subclass of `Settings`.
    group
        The heading under which they stand.
    only
        The names of those that are wanted; None: all.
    users
        Option -> who declares it, each by name, where several do.
    """
    from sage_select.declare.option import option_of, spellings, values_of
    from sage_select.declare.settings import exclusive

    rivals = {name: names for names in exclusive(kind).values() for name in names}
    depending: dict[str, list[str]] = {}
    for name, info in kind.model_fields.items():
        for other in option.when if (option := option_of(info)) else {}:
            depending.setdefault(other, []).append(name)
    for name, info in kind.model_fields.items():
        option, choice = option_of(info), kind.choices().get(name)
        if (only is not None and name not in only) or (option is None and choice is None):
            continue
        typed = spellings(name, option, info.annotation)
        if not typed:
            continue
        words = values_of(info.annotation)
        yield Flag(
            stage,
            name,
            typed[0],
            option.short if option else None,
            "text" if choice else _kind(info),
            _choice_help(choice) if choice else _help((users or {}).get(name) or {"": info}),
            group,
            (option.metavar if option else None) or (f"[{'|'.join(words)}]" if words else None),
            sorted({*rivals.get(name, []), *depending.get(name, []), *(choice.implying() if choice else [])} - {name}),
            option.switchable if option else False,
            [*(choice.registry if choice else words)],
        )


def annotation_of(flag: Flag) -> Any:
    """Return the annotation by which typer knows an option."""
    if flag.kind == "texts" and not flag.spelling.startswith("-"):
        return Annotated[list[str] | None, typer.Argument(metavar=flag.spelling, help=flag.help, show_default=False)]
    names = [flag.spelling, *([flag.short] if flag.short else [])]
    option = typer.Option(*names, help=flag.help, metavar=flag.metavar, show_default=False, rich_help_panel=flag.group)
    kind = list[str] if flag.kind == "texts" else _KINDS[flag.kind]
    return Annotated[kind | None, option]


def _choice_help(choice: Any) -> str:
    members = ", ".join(f"{name} ({lowered(member.summary())})" for name, member in choice.registry.items())
    return f"{_capital(choice.help)}: {members}. [default: {choice.default}]"


def _help(users: dict[str, Any]) -> str:
    """Return the help of an option, with its default and bounds; defaults that differ with those who use it."""
    from sage_select.declare.option import by_user, option_of

    marks = {name: option_of(info) for name, info in users.items()}
    option = next(mark for mark in marks.values() if mark is not None)
    default = by_user({name: _default(option, info.default) for name, info in users.items()})
    ranges = list(dict.fromkeys(mark.range for mark in marks.values() if mark is not None))
    facts = [*([f"default: {default}"] if default else []), *(one for one in ranges if one and len(ranges) == 1)]
    return f"{_capital(option.help)}." + (f" [{'; '.join(facts)}]" if facts else "")


def _default(option: Any, default: Any) -> str | None:
    """Return the default of an option in words, or None where there is none to tell."""
    if option.default is not None:
        return str(option.default)
    if default is None or repr(default) == "PydanticUndefined":
        return None
    if isinstance(default, bool):
        return (
            str(option.flag.split("/")[0 if default else 1].removeprefix("--")) if "/" in (option.flag or "") else None
        )
    return f"{default:g}" if isinstance(default, float) else str(default)


def _kind(info: Any) -> str:
    """Return what the command line takes for a setting: text where the setting itself makes a number of it."""
    kind = _kind_of(info.annotation)
    return "text" if kind != "texts" and _reads_text(info.metadata) else kind


def _reads_text(marks: Iterable[Any]) -> bool:
    from pydantic import BeforeValidator

    return any(isinstance(mark, BeforeValidator) for mark in marks)


def _kind_of(annotation: Any) -> str:
    """Return what the command line takes for a setting of this type."""
    origin = get_origin(annotation)
    if origin is Annotated:
        kind, *marks = get_args(annotation)
        return "text" if _reads_text(marks) else _kind_of(kind)
    if origin in (typing.Union, types.UnionType):
        kinds = {one for one in get_args(annotation) if one is not type(None)}
        if any(get_origin(one) in _SEVERAL for one in kinds):
            return "texts"
        return _kind_of(kinds.pop()) if len(kinds) == 1 else "text"
    if origin is Literal:
        return "int" if all(type(one) is int for one in get_args(annotation)) else "text"
    if origin in _SEVERAL or annotation in _SEVERAL:
        return "texts"
    return {bool: "bool", int: "int", float: "float"}.get(annotation, "text")


def _is_made(marks: Iterable[Any]) -> bool:
    """Say whether a setting makes its value of what it is given, such as a share of `1%`."""
    from pydantic import BeforeValidator

    return any(isinstance(one, BeforeValidator) for one in marks)


def _capital(text: str) -> str:
    first = text.split(maxsplit=1)[0]
    return text if "_" in first else text[:1].upper() + text[1:]


def lowered(text: str) -> str:
    """Return a sentence as it stands within another."""
    return text[:1].lower() + text[1:]
