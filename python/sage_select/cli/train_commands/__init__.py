"""The commands of `sage-train` besides training: one module each, whose `COMMAND` says what it is.

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

__all__ = ["TrainSubcommand", "train_commands"]


@dataclass(frozen=True)
class TrainSubcommand:
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
    """

    function: Callable[..., object]
    help: str
    summary: str
    kind: type[TyperCommand] | None = None


@cache
def train_commands() -> Mapping[str, Any]:
    """Return the commands by name, as the command line's parser has them, in the order of their names."""
    found = {}
    for module in sorted(iter_modules(__path__), key=lambda one: one.name):
        declared: TrainSubcommand = import_module(f"{__name__}.{module.name}").COMMAND
        app = typer.Typer(
            add_completion=False,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        name = module.name.replace("_", "-")
        app.command(name, help=declared.help, short_help=declared.summary, cls=declared.kind)(declared.function)
        found[name] = typer.main.get_command(app)
    return found
