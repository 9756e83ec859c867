"""Commands below a program or another command: one module each, whose `COMMAND` says what it is.

The name of a command is that of its module, with dashes. A module loads nothing heavy before its function is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import typer
from typer.core import TyperCommand

__all__ = ["Subcommand", "subcommands"]


@dataclass(frozen=True)
class Subcommand:
    """One command.

    Attributes
    ----------
    function
        What is called, its parameters declared as typer reads them.
    help
        The text above its options.
    summary
        What it does, in a sentence, for the list of commands.
    kind
        How its words are read, where that is not as usual.
    place
        Where it stands in the list: the lower, the earlier; by name where it is the same.
    """

    function: Callable[..., object]
    help: str
    summary: str
    kind: type[TyperCommand] | None = None
    place: int = 0


@cache
def subcommands(package: str) -> Mapping[str, Any]:
    """Return the commands of a package by name, as the command line's parser has them, in the order of the list."""
    declared: dict[str, Subcommand] = {
        module.name.replace("_", "-"): import_module(f"{package}.{module.name}").COMMAND
        for module in iter_modules(import_module(package).__path__)
    }
    found = {}
    for name, one in sorted(declared.items(), key=lambda pair: (pair[1].place, pair[0])):
        app = typer.Typer(
            add_completion=False,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        app.command(name, help=one.help, short_help=one.summary, cls=one.kind)(one.function)
        found[name] = typer.main.get_command(app)
    return found
