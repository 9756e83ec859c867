"""The options of `sage-train` that no settings declare."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sage_select import __version__
from sage_select.cli.console import Console
from sage_select.cli.events import EVENTS_HELP
from sage_select.cli.streams import emit
from sage_select.paths import user_path

__all__ = ["COMMAND", "begin"]


def _print_version(asked: bool) -> None:
    if asked:
        emit(f"sage-train {__version__}\n")
        raise typer.Exit


def _other(*names: str, **about: Any) -> Any:
    return typer.Option(*names, rich_help_panel="Command", **about)


#: The options that no settings declare: name -> annotation and default.
COMMAND: Final[Mapping[str, tuple[Any, Any]]] = {
    "config": (
        Annotated[
            Path | None,
            _other(
                metavar="FILE",
                help="Settings in YAML or TOML, by the names of the options or those of TRL, LLaMA-Factory and "
                "axolotl; options given here win over it.",
            ),
        ],
        None,
    ),
    **{
        name: (Annotated[bool, _other(f"--{name}", help=f"The same as --precision {name}.")], False)
        for name in ("bf16", "fp16", "fp32")
    },
    "json_output": (Annotated[bool, _other("--json", help="Print the result as one JSON object on stdout.")], False),
    "_events": (Annotated[str | None, _other("--events", metavar="FILE", help=EVENTS_HELP)], None),
    "quiet": (Annotated[bool, _other("--quiet", "-q", help="Say nothing but errors.")], False),
    "_version": (
        Annotated[
            bool, _other("--version", help="Print the version and leave.", is_eager=True, callback=_print_version)
        ],
        False,
    ),
}


def begin(console: Console, settings: Mapping[str, Mapping[str, Any]], config: Path | None) -> None:
    """Say the first word: libraries take seconds to load."""
    named = settings["CommandSettings"]["selection"]
    first = config if named is None and config is not None else named or "out.arrow"
    console.begin(f"sage-train: reading {user_path(Path(first))}, then loading the training libraries")
