"""The options of `sage-select build`, as the declarations of stages and of what they hold say.

`--help` must not load the declarations, which load numpy and more: it reads a table of them, which is written
by `make generate` and held current by a test. Where other packages declare members of their own, the
table is derived anew each time.
"""

from __future__ import annotations

import json
import sys
import types
import typing
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin

__all__ = ["Flag", "Table", "build_table", "derived", "others_declare", "written"]

_FILE: Final = Path(__file__).with_suffix(".json")
#: How the groups of entry points begin by which packages declare members.
_GROUP: Final = b"[sage_select."
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


class Table(NamedTuple):
    """All options of `build`.

    Attributes
    ----------
    flags
        The options.
    another_order
        What another order of the rows may change, and the strategies and objectives where it does.
    notices
        What other packages declare and had to be left out.
    """

    flags: list[Flag]
    another_order: dict[str, list[str]]
    notices: list[str]


def build_table() -> Table:
    """Return the table: as it was written, or derived where other packages declare members."""
    if others_declare():
        return derived()
    value = json.loads(_FILE.read_text(encoding="utf-8"))
    return Table([Flag(**flag) for flag in value["flags"]], value["another_order"], [])


def others_declare() -> bool:
    """Tell whether an installed package declares members.

    `importlib.metadata` knows as well, and takes longer to load and to look than all the rest of the help.
    """
    for folder in dict.fromkeys(sys.path):
        # A folder or file that may not be read declares nothing.
        with suppress(OSError):
            for file in Path(folder).glob("*-info/entry_points.txt"):
                if _GROUP in file.read_bytes():
                    return True
    return False


def written(table: Table) -> str:
    """Return a table as its file holds it."""
    value = {"flags": [flag._asdict() for flag in table.flags], "another_order": table.another_order}
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def derived() -> Table:
    """Derive the table from the declarations."""
    from sage_select.declare.others import notices
    from sage_select.declare.registry import left_out
    from sage_select.pipeline import STAGES
    from sage_select.strategies import STRATEGIES
    from sage_select.strategies.objectives import OBJECTIVES

    flags = [flag for name, kind in STAGES.items() for flag in _of_stage(name, kind)]
    orders: dict[str, list[str]] = {}
    for registry in (STRATEGIES, OBJECTIVES):
        for name, member in registry.items():
            orders.setdefault(member.another_order, []).append(name)
    return Table(flags, orders, notices(left_out()))


def _of_stage(stage: str, kind: Any) -> Iterator[Flag]:
    yield from _of_class(stage, kind, f"Stage {stage}")
    for field, choice in kind.choices().items():
        yield from _of_members(stage, field, choice)


def _of_members(stage: str, field: str, choice: Any) -> Iterator[Flag]:
    """Yield the options of the members of a registry, each once, under the names of those that use it."""
    users: dict[str, dict[str, Any]] = {}
    implying = choice.implying()
    for name, member in choice.registry.items():
        for setting, info in member.model_fields.items():
            users.setdefault(setting, {})[name] = info
    shown: set[str] = set()
    inner: dict[str, Any] = {}
    for member in choice.registry.values():
        inner |= {name: one for name, one in member.choices().items() if name not in inner}
        names = {name for name in member.model_fields if name not in shown}
        shown |= names
        for flag in _of_class(stage, member, "", only=names, users=users):
            rivals = [*implying, field] if flag.setting in implying else []
            yield flag._replace(
                group=_heading(choice.registry, list(users[flag.setting])),
                replaces=sorted({*flag.replaces, *rivals} - {flag.setting}),
            )
    for name, one in inner.items():
        yield from _of_members(stage, name, one)


def _heading(registry: Any, names: list[str]) -> str:
    """Return the heading of options that these members use: Strategies hybrid and loss_topk."""
    # Another name for one of the others.
    named = [name for name in names if name != "auto"] or names
    if len(named) == len([name for name in registry if name != "auto"]):
        return f"All {registry.kinds}"
    several = ", ".join(named[:-1]) + " and " + named[-1] if len(named) > 1 else named[0]
    return f"{(registry.kinds if len(named) > 1 else registry.kind).capitalize()} {several}"


def _of_class(
    stage: str, kind: Any, group: str, only: set[str] | None = None, users: dict[str, dict[str, Any]] | None = None
) -> Iterator[Flag]:
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
            "text" if choice else _kind_of(info.annotation),
            _choice_help(choice) if choice else _help((users or {}).get(name) or {"": info}),
            group,
            (option.metavar if option else None) or (f"[{'|'.join(words)}]" if words else None),
            sorted({*rivals.get(name, []), *depending.get(name, []), *(choice.implying() if choice else [])} - {name}),
            option.switchable if option else False,
            [*(choice.registry if choice else words)],
        )


def _choice_help(choice: Any) -> str:
    members = ", ".join(f"{name} ({_lowered(member.summary())})" for name, member in choice.registry.items())
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


def _kind_of(annotation: Any) -> str:
    """Return what the command line takes for a setting of this type."""
    origin = get_origin(annotation)
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


def _capital(text: str) -> str:
    first = text.split(maxsplit=1)[0]
    return text if "_" in first else text[:1].upper() + text[1:]


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
