"""The options of `sage-select build`: those of the stages, from their table, and those of running them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sage_select.cli.events import EVENTS_HELP
from sage_select.cli.flags import Flag, annotation_of

__all__ = ["RUNNING", "with_options"]

_RUN: Final = "Running"
_SELECT: Final = "Stage select"

#: The options that set nothing of a stage: name -> annotation and default.
RUNNING: Final[Mapping[str, tuple[Any, Any]]] = {
    "balance": (
        Annotated[
            str | None,
            typer.Option(
                metavar="COLUMN", help="The same as --quota COLUMN: as even as can be.", rich_help_panel=_SELECT
            ),
        ],
        None,
    ),
    "seed": (
        Annotated[int | None, typer.Option(help="Same seed, same rows. [default: 0]", rich_help_panel=_RUN)],
        None,
    ),
    "spec": (
        Annotated[
            Path | None,
            typer.Option(
                help="A pipeline in YAML or TOML; options given here win over it, and none switches its quota, pin, "
                "exclude or tokenizer off.",
                rich_help_panel=_RUN,
            ),
        ],
        None,
    ),
    "force": (
        Annotated[
            bool,
            typer.Option(
                "--force",
                help="Replace an output of sage-select (one with its manifest beside it).",
                rich_help_panel=_RUN,
            ),
        ],
        False,
    ),
    "overwrite_foreign": (
        Annotated[
            bool,
            typer.Option(
                "--overwrite-foreign",
                help="With --force: replace what is not an output of sage-select, too.",
                rich_help_panel=_RUN,
            ),
        ],
        False,
    ),
    "verify": (
        Annotated[
            bool,
            typer.Option(
                "--verify/--no-verify",
                help="Refuse outputs of sage-select that were changed since they were written. [default: verify]",
                show_default=False,
                rich_help_panel=_RUN,
            ),
        ],
        True,
    ),
    "cache_dir": (
        Annotated[
            Path | None,
            typer.Option(
                metavar="FOLDER",
                help="Where scores and vectors of models are held, so that none is computed twice and a killed build "
                "goes on where it was. [default: SAGE_CACHE_DIR, else ~/.cache/sage-select]",
                rich_help_panel=_RUN,
            ),
        ],
        None,
    ),
    "no_cache": (
        Annotated[
            bool,
            typer.Option(
                "--no-cache",
                help="Compute all, and hold none of it; with --force the output as well.",
                rich_help_panel=_RUN,
            ),
        ],
        False,
    ),
    "explain": (
        Annotated[
            bool,
            typer.Option("--explain", help="The same as --dry-run.", rich_help_panel=_RUN),
        ],
        False,
    ),
    "dry_run": (
        Annotated[
            bool,
            typer.Option(
                "--dry-run",
                help="Say what would be done and about how much memory and time it would take, as sage-select plan "
                "does, and leave: with exit code 5 where it would not fit.",
                rich_help_panel=_RUN,
            ),
        ],
        False,
    ),
    "threads": (
        Annotated[
            int | None,
            typer.Option(help="Threads to use. [default: SAGE_THREADS, else all cores]", min=1, rich_help_panel=_RUN),
        ],
        None,
    ),
    "json_output": (
        Annotated[
            bool, typer.Option("--json", help="Print the result as one JSON object on stdout.", rich_help_panel=_RUN)
        ],
        False,
    ),
    "events": (
        Annotated[
            str | None,
            typer.Option(
                metavar="FILE",
                help=EVENTS_HELP,
                rich_help_panel=_RUN,
            ),
        ],
        None,
    ),
    "quiet": (
        Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.", rich_help_panel=_RUN)],
        False,
    ),
}


def with_options(
    flags: Sequence[Flag], others: Mapping[str, tuple[Any, Any]] = RUNNING
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator for the function of a command, `build` as a rule: it is called with `settings` and `others`.

    `others` are options that no settings declare, name -> annotation and default. `settings` are stage -> setting ->
    value, None where an option was not given.
    """

    def decorated(function: Callable[..., None]) -> Callable[..., None]:
        named = {f"{flag.stage}__{flag.setting}": flag for flag in flags}

        def command(**values: Any) -> None:
            settings: dict[str, dict[str, Any]] = {flag.stage: {} for flag in flags}
            for name, flag in named.items():
                settings[flag.stage][flag.setting] = (
                    values.pop(name) or None if flag.kind == "texts" else values.pop(name)
                )
            function(settings, **values)

        annotated = {name: (annotation_of(flag), None) for name, flag in named.items()} | dict(others)
        # The parser reads the signature: an argument first, then options in the order of the help.
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
                for name, (annotation, default) in annotated.items()
            ]
        )
        command.__annotations__ = {name: annotation for name, (annotation, _) in annotated.items()}
        return command

    return decorated
