"""Commands below a program or another command: one module each, whose `COMMAND` says what it is.

The name of a command is that of its module, with dashes. A module loads nothing heavy before its function is called.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, wraps
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperCommand

from sage_select.cli.events import EVENTS_HELP

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
        app.command(name, help=one.help, short_help=one.summary, cls=one.kind)(_with_events(one.function))
        found[name] = typer.main.get_command(app)
    return found


def _with_events(function: Callable[..., object]) -> Callable[..., object]:
    """Return a function with `--events` beside its `--json`: `run_program` has opened them by the time it is called."""
    known = inspect.signature(function, eval_str=True)
    if "json_output" not in known.parameters or "_events" in known.parameters:
        return function
    found: list[inspect.Parameter] = []
    for parameter in known.parameters.values():
        found.append(parameter)
        if parameter.name == "json_output":
            panel = next((one.rich_help_panel for one in get_args(parameter.annotation)[1:]), None)
            kind = Annotated[
                str | None, typer.Option("--events", metavar="FILE", help=EVENTS_HELP, rich_help_panel=panel)
            ]
            found.append(parameter.replace(name="_events", default=None, annotation=kind))

    @wraps(function)
    def command(_events: str | None = None, **values: Any) -> object:
        return function(**values)

    command.__signature__ = known.replace(parameters=found)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in found}
    return command
