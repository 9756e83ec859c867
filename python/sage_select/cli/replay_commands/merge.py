"""`sage-select replay merge`: the rows of another buffer taken in."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from sage_select.cli.console import Console
from sage_select.cli.replay_options import CODES, BufferFolder, Json, Quiet, Verify
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.without_pandas import load_pyarrow

__all__ = ["COMMAND", "merge"]

_HELP: Final = f"""Take in the buffer of another stream, made with the same policy and seed; that one is only read.

Two reservoirs make that of both streams, bit for bit.

\b
Examples:
  sage-select replay merge buffer other

\b
{CODES}
"""


def merge(
    buffer: BufferFolder,
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="The buffer to take in.", show_default=False)],
    verify: Verify = True,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Take in another buffer."""
    load_pyarrow()
    from sage_select.cli.replay_rows import opened
    from sage_select.errors import UsageError
    from sage_select.paths import user_path

    console = Console(quiet=quiet, json_output=json_output)
    found, theirs = opened(buffer, verify=verify), opened(other, verify=verify)
    if user_path(buffer).samefile(user_path(other)):
        raise UsageError("a buffer is not merged with itself", where=str(other), hint="name another buffer")
    told = found.merge(theirs)
    counts = {name.replace("_", " "): f"{count:,}" for name, count in asdict(told).items()}
    console.summary(f"{len(found):,} of {found.capacity:,} rows", counts)
    console.result({"buffer": str(buffer), **asdict(told), "size": len(found), "capacity": found.capacity})


COMMAND: Final = Subcommand(merge, _HELP, "Take in another buffer.", place=12)
