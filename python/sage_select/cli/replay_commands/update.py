"""`sage-select replay update`: rows offered to a buffer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sage_select.cli.build_options import with_options
from sage_select.cli.console import Console
from sage_select.cli.groups import GroupedCommand
from sage_select.cli.replay_options import CODES, BufferFolder, Files, Json, Quiet, Verify
from sage_select.cli.replay_table import replay_table
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.without_pandas import load_pyarrow

__all__ = ["COMMAND", "update"]

_HELP: Final = f"""Offer rows to a buffer, which retains some as its policy says: one commit, whatever the files.

Rows are read and named as by sage-select build, and outputs of ours are checked by their manifests. What an earlier
selection said of rows (sage_ columns) is not stored, and rows that it replayed are offered again only with a new score.

\b
Examples:
  sage-select replay update buffer week1.jsonl
  sage-select replay update buffer out.arrow --scores sage_score
  sage-select replay update buffer week2.jsonl --groups topic --evolve   # where columns come or go

\b
{CODES}
"""

_COLUMNS: Final = "Columns of the rows"


def _column(does: str) -> Any:
    return Annotated[str | None, typer.Option(metavar="COLUMN", help=does, rich_help_panel=_COLUMNS)]


def update(
    settings: Mapping[str, Mapping[str, Any]],
    *,
    buffer: Path,
    files: list[str],
    scores: str | None,
    groups: str | None,
    embeddings: str | None,
    lengths: str | None,
    evolve: bool,
    verify: bool,
    json_output: bool,
    quiet: bool,
) -> None:
    """Offer the rows."""
    load_pyarrow()
    from sage_select.cli.replay_rows import column_of, new_rows_of, not_replayed, opened
    from sage_select.display import counted

    console = Console(quiet=quiet, json_output=json_output)
    found = opened(buffer, verify=verify)
    stored, table = new_rows_of(files, settings["source"], found, console, verify=verify)
    column_of(table, embeddings)
    named = {"scores": scores, "groups": groups, "lengths": lengths}
    columns = {name: column_of(table, column) for name, column in named.items()}
    new = not_replayed(table, columns["scores"])
    if new.true_count < len(new):
        console.notice(
            f"{counted(len(new) - new.true_count, 'row')} left out: replayed before, and without a new score"
        )
        stored = stored.filter(new)
        columns = {name: None if column is None else column.filter(new) for name, column in columns.items()}
    told = found.update(stored, embeddings=embeddings, evolve=evolve, **columns)
    counts = {name.replace("_", " "): f"{count:,}" for name, count in asdict(told).items()}
    console.summary(f"{len(found):,} of {found.capacity:,} rows", counts)
    console.result({"buffer": str(buffer), **asdict(told), "size": len(found), "capacity": found.capacity})


COMMAND: Final = Subcommand(
    with_options(
        replay_table().reading,
        {
            "buffer": (BufferFolder, ...),
            "files": (Files, ...),
            "scores": (_column("One number a row: losses, weights, priorities."), None),
            "groups": (_column("The class or task of each row."), None),
            "embeddings": (_column("One vector a row."), None),
            "lengths": (_column("The tokens of each row."), None),
            "evolve": (
                Annotated[
                    bool,
                    typer.Option(
                        "--evolve",
                        help="Take rows that have more columns than those before, or lack some: null in the others.",
                        rich_help_panel=_COLUMNS,
                    ),
                ],
                False,
            ),
            "verify": (Verify, True),
            "json_output": (Json, False),
            "quiet": (Quiet, False),
        },
    )(update),
    _HELP,
    "Offer rows to a buffer.",
    GroupedCommand,
    place=2,
)
