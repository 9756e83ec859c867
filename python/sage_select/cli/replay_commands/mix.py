"""`sage-select replay mix`: new rows, and replayed ones beside them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sage_select.cli.build_options import with_options
from sage_select.cli.console import Console
from sage_select.cli.groups import GroupedCommand
from sage_select.cli.replay_options import (
    CODES,
    BufferFolder,
    Files,
    Force,
    Json,
    Output,
    OverwriteForeign,
    Quiet,
    Verify,
)
from sage_select.cli.replay_table import replay_table
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.without_pandas import load_pyarrow

__all__ = ["COMMAND", "mix"]

_HELP: Final = f"""Write new rows with rows of a buffer beside them; nothing is offered to the buffer.

What is due and no whole row is owed, and remembered in the buffer for the next time: so the ratio holds over many
files, where each alone rounds. Of the same ratio and basis, that is. (sage-select build --replay adds rows to a
selection without changing the buffer.)

\b
Examples:
  sage-select replay mix buffer week2.jsonl --ratio 1/4 -o mixed.arrow
  sage-select replay mix buffer week2.jsonl --ratio 0.2 --basis of_total --interleave -o mixed.jsonl

\b
{CODES}
"""

_MIXING: Final = "Mixing"


def mix(
    settings: Mapping[str, Mapping[str, Any]],
    *,
    buffer: Path,
    files: list[str],
    ratio: str,
    basis: str,
    lengths: str | None,
    interleave: bool,
    shortfall: str,
    output: str | None,
    force: bool,
    overwrite_foreign: bool,
    verify: bool,
    json_output: bool,
    quiet: bool,
) -> None:
    """Write the mixture."""
    load_pyarrow()
    from sage_select.cli.replay_rows import buffer_input, column_of, new_rows_of, opened, write_rows, written_target
    from sage_select.errors import SageError, SageWarning, UsageError
    from sage_select.values.location import InputSetting

    console = Console(quiet=quiet, json_output=json_output)
    if output is None:
        raise UsageError("no output is named", expected="-o PATH, or -o -.jsonl for standard output")
    inputs = [buffer_input(buffer), *(InputSetting("FILE", "rows", one) for one in files)]
    written_target(output, inputs, force=force, overwrite_foreign=overwrite_foreign, anew=True)
    found = opened(buffer, verify=verify)
    new, table = new_rows_of(files, settings["source"], found, console, verify=verify)
    before = found.commit
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", SageWarning)
        rows = found.mix(
            new,
            ratio,
            basis,
            lengths=column_of(table, lengths),
            interleave=interleave,
            on_shortfall=shortfall,  # type: ignore[arg-type]
        )
    for one in told:
        console.notice(str(one.message))
    replayed = rows.num_rows - new.num_rows
    facts = {"buffer": str(buffer), "commit": found.commit, "ratio": ratio, "basis": basis, "new": new.num_rows}
    try:
        outcome = write_rows(
            rows,
            output,
            console,
            {"replay": {**facts, "replayed": replayed}},
            force=force,
            overwrite_foreign=overwrite_foreign,
        )
    except BaseException:
        # What was not written is owed still.
        if found.commit != before:
            with suppress(SageError):
                found.rollback(before)
        raise
    console.summary(
        "mixed",
        {"rows": f"{new.num_rows:,} new and {replayed:,} replayed", "output": outcome.output, "commit": found.commit},
    )
    console.result({**facts, "replayed": replayed, "output": str(outcome.output)})


COMMAND: Final = Subcommand(
    with_options(
        replay_table().reading,
        {
            "buffer": (BufferFolder, ...),
            "files": (Files, ...),
            "ratio": (
                Annotated[str, typer.Option(help="How much is replayed: 1/4, or 0.25.", rich_help_panel=_MIXING)],
                "1/4",
            ),
            "basis": (
                Annotated[
                    str,
                    typer.Option(
                        metavar="[of_new|of_total|tokens_of_total]",
                        help="Of what it is a share: the new rows, all rows of the output, or all their tokens.",
                        rich_help_panel=_MIXING,
                    ),
                ],
                "of_new",
            ),
            "lengths": (
                Annotated[
                    str | None,
                    typer.Option(metavar="COLUMN", help="The tokens of each new row.", rich_help_panel=_MIXING),
                ],
                None,
            ),
            "interleave": (
                Annotated[
                    bool,
                    typer.Option(
                        "--interleave", help="Replayed rows among the new ones, evenly.", rich_help_panel=_MIXING
                    ),
                ],
                False,
            ),
            "shortfall": (
                Annotated[
                    str,
                    typer.Option(
                        metavar="[report|repeat|error]",
                        help="Where fewer rows are there than are due: tell it, draw some again, or refuse.",
                        rich_help_panel=_MIXING,
                    ),
                ],
                "report",
            ),
            "output": (Output, None),
            "force": (Force, False),
            "overwrite_foreign": (OverwriteForeign, False),
            "verify": (Verify, True),
            "json_output": (Json, False),
            "quiet": (Quiet, False),
        },
    )(mix),
    _HELP,
    "Write new rows with replayed ones.",
    GroupedCommand,
    place=4,
)
