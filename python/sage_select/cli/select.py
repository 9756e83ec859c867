"""The program `sage-select`."""

from __future__ import annotations

import atexit
import functools
import gc
import sys
from typing import Annotated, Final

import typer

from sage_select import __version__
from sage_select.cli.build import PLANNING, build, build_help, plan
from sage_select.cli.build_options import with_options
from sage_select.cli.build_table import build_table
from sage_select.cli.cache import CACHE_HELP, cache
from sage_select.cli.completion import COMPLETION_HELP, completed, completion
from sage_select.cli.console import early_notice, run_program
from sage_select.cli.diff import DIFF_HELP, diff
from sage_select.cli.embed import EMBED_HELP, embed, embed_options
from sage_select.cli.export import EXPORT_HELP, export
from sage_select.cli.groups import GroupedCommand, Program
from sage_select.cli.habits import SELECT_HABITS
from sage_select.cli.init import INIT_HELP, init
from sage_select.cli.inspect import INSPECT_HELP, inspect, inspect_options
from sage_select.cli.plan import PLAN_HELP
from sage_select.cli.query import QUERY_HELP, query
from sage_select.cli.replay import replay_app
from sage_select.cli.replay_table import replay_table
from sage_select.cli.report import REPORT_HELP, report
from sage_select.cli.schema import SCHEMA_HELP, schema
from sage_select.cli.score import SCORE_HELP, score, score_options
from sage_select.cli.streams import emit
from sage_select.cli.top import TOP_HELP, top
from sage_select.cli.why import WHY_HELP, why

__all__ = ["main", "program"]

#: Objects made before Python looks for cycles among them: modules, plans and tables have hardly any, and looking as
#: often as it does by default costs a twentieth of a short build.
_OBJECTS: Final = 200_000


@functools.cache
def program() -> typer.Typer:
    """Return the program with its commands; the options of `build` are those that stages and their members declare.

    What other packages declare and had to be left out is told at once, whatever the command.
    """
    app = typer.Typer(
        name="sage-select",
        cls=Program,
        help="Pick the rows worth fine-tuning a language model on.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_program)
    table = build_table()
    for text in table.notices:
        early_notice(text)
    app.command("build", cls=GroupedCommand, help=build_help(table), short_help="Select rows and write them.")(
        with_options(table.flags)(functools.partial(build, table=table))
    )
    app.command("plan", cls=GroupedCommand, help=PLAN_HELP, short_help="Say what a build would do and take.")(
        with_options(table.flags, PLANNING)(functools.partial(plan, table=table))
    )
    app.command("score", cls=GroupedCommand, help=SCORE_HELP, short_help="Write what a language model says of rows.")(
        score_options(table)(score)
    )
    app.command("query", cls=GroupedCommand, help=QUERY_HELP, short_help="Pick the next rows to label.")(
        with_options(table.flags)(functools.partial(query, table=table))
    )
    app.command("embed", cls=GroupedCommand, help=EMBED_HELP, short_help="Write a vector for each row.")(
        embed_options(table)(embed)
    )
    app.command("top", help=TOP_HELP, short_help="Write the first rows of a selection.")(top)
    app.command("export", help=EXPORT_HELP, short_help="Print the entry by which another trainer reads a selection.")(
        export
    )
    app.command("cache", help=CACHE_HELP, short_help="List or remove values of models that are held.")(cache)
    app.command("why", help=WHY_HELP, short_help="Say what became of one row.")(why)
    app.command("diff", help=DIFF_HELP, short_help="Say what differs between two selections or specs.")(diff)
    app.command("report", help=REPORT_HELP, short_help="Write one page about a selection, with figures.")(report)
    app.command("inspect", cls=GroupedCommand, help=INSPECT_HELP, short_help="Say what rows are like, and show some.")(
        inspect_options(table)(inspect)
    )
    app.add_typer(replay_app(), name="replay")
    app.command("init", help=INIT_HELP, short_help="Write a commented spec to begin with.")(init)
    app.command("schema", help=SCHEMA_HELP, short_help="Print the JSON schema of specs.")(schema)
    app.command("completion", help=COMPLETION_HELP, short_help="Print what completes words in a shell.")(completion)
    return app


def _print_version(asked: bool) -> None:
    if asked:
        emit(f"sage-select {__version__}\n")
        raise typer.Exit


def _program(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Pick the rows worth fine-tuning a language model on."""


def main() -> None:
    """Run `sage-select`."""
    gc.set_threshold(_OBJECTS)
    atexit.register(_keep_objects)
    run_program(_run, SELECT_HABITS)


def _keep_objects() -> None:
    """Keep Python from looking through every object three times on its way out, as a process that ends gives all back.

    A library that torch loads counts objects on its way out, and would tell of each that it had leaked.
    """
    if "torch" not in sys.modules:
        gc.freeze()


def _run() -> object:
    return 0 if completed(program(), _words) else program()(prog_name="sage-select", standalone_mode=False)


def _words() -> dict[str, list[str]]:
    flags = [*replay_table().made, *build_table().flags]
    return {flag.spelling: flag.words for flag in flags}
