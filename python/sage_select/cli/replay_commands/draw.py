"""`sage-select replay draw`: some rows of a buffer."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Final

import typer

from sage_select.cli.console import Console
from sage_select.cli.groups import GroupedCommand
from sage_select.cli.replay_options import CODES, BufferFolder, Force, Json, Output, OverwriteForeign, Quiet, Verify
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.without_pandas import load_pyarrow

__all__ = ["COMMAND", "draw"]

_HELP: Final = f"""Draw rows of a buffer by its rule, none twice, with all their columns.

The same buffer, number and step give the same rows; nothing of it is changed or locked. Without -o they are written on
standard output as JSON lines.

\b
Examples:
  sage-select replay draw buffer 512 -o drawn.parquet
  sage-select replay draw buffer 10% --step 3 --exclude week2.jsonl -o drawn.jsonl

\b
{CODES}
"""


def draw(
    buffer: BufferFolder,
    number: Annotated[
        str, typer.Argument(metavar="N", help="How many rows (512), or which share (10%).", show_default=False)
    ],
    output: Output = None,
    step: Annotated[
        int | None,
        typer.Option(min=0, help="Which draw it is: another step draws other rows. [default: 0 for this commit]"),
    ] = None,
    exclude: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Rows that are not drawn: their ids, one a line (.txt), or a file of rows."),
    ] = None,
    force: Force = False,
    overwrite_foreign: OverwriteForeign = False,
    verify: Verify = True,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw the rows."""
    load_pyarrow()
    from sage_select.cache import key_of
    from sage_select.cli.replay_rows import buffer_input, ids_in, opened, write_rows, written_target
    from sage_select.errors import SageWarning
    from sage_select.io import digest_table
    from sage_select.values.location import InputSetting

    console = Console(quiet=quiet, json_output=json_output)
    target = output or "-.jsonl"
    other = [] if exclude is None else [InputSetting("--exclude", "file", str(exclude))]
    written_target(target, [buffer_input(buffer), *other], force=force, overwrite_foreign=overwrite_foreign)
    found = opened(buffer, verify=verify)
    ids = None if exclude is None else ids_in(exclude, found, console, verify=verify)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", SageWarning)
        rows = found.draw(int(number) if number.isascii() and number.isdigit() else number, exclude=ids, step=step)
    for one in told:
        console.notice(str(one.message))
    facts = {"commit": found.commit, "draw": found.settings.draw.name, "number": number, "step": step}
    outcome = write_rows(
        rows,
        target,
        console,
        {"replay": {"buffer": str(buffer), **facts}},
        fingerprint=key_of(["replay draw", facts, found.settings.settings(), digest_table(rows)]),
        force=force,
        overwrite_foreign=overwrite_foreign,
    )
    title = "cached: drawn before from the same buffer" if outcome.cached else "drawn"
    console.summary(title, {"rows": f"{rows.num_rows:,} of {len(found):,}", "output": outcome.output})
    console.result({"rows": rows.num_rows, "cached": outcome.cached, "output": str(outcome.output), **facts})


COMMAND: Final = Subcommand(draw, _HELP, "Draw rows.", GroupedCommand, place=3)
