"""The options of `sage-select build`, as the declarations of stages and of what they hold say.

`--help` must not load the declarations, which load numpy and more: it reads a table of them, which is written
by `make generate` and held current by a test. Where other packages declare members of their own, the
table is derived anew each time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from sage_select.cli.flags import Flag, flags_of

__all__ = ["Table", "build_table", "derived", "flags_of_members", "others_declare", "written"]

_FILE: Final = Path(__file__).with_suffix(".json")
#: How the groups of entry points begin by which packages declare members.
_GROUP: Final = b"[sage_select."


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
    yield from flags_of(stage, kind, f"Stage {stage}")
    for field, choice in kind.choices().items():
        yield from flags_of_members(stage, field, choice)


def flags_of_members(stage: str, field: str, choice: Any) -> Iterator[Flag]:
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
        for flag in flags_of(stage, member, "", only=names, users=users):
            rivals = [*implying, field] if flag.setting in implying else []
            yield flag._replace(
                group=_heading(choice.registry, list(users[flag.setting])),
                replaces=sorted({*flag.replaces, *rivals} - {flag.setting}),
            )
    for name, one in inner.items():
        yield from flags_of_members(stage, name, one)


def _heading(registry: Any, names: list[str]) -> str:
    """Return the heading of options that these members use: Strategies hybrid and loss_topk."""
    # Another name for one of the others.
    named = [name for name in names if name != "auto"] or names
    if len(named) == len([name for name in registry if name != "auto"]):
        return f"All {registry.kinds}"
    several = ", ".join(named[:-1]) + " and " + named[-1] if len(named) > 1 else named[0]
    return f"{(registry.kinds if len(named) > 1 else registry.kind).capitalize()} {several}"
