"""`sage-select replay resize`: another capacity."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Final

import typer

from sage_select.cli.console import Console
from sage_select.cli.replay_options import CODES, BufferFolder, Json, Quiet, Verify
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.without_pandas import load_pyarrow

__all__ = ["COMMAND", "resize"]

_HELP: Final = f"""Change how many rows a buffer may have; a smaller one lets rows go as its policy says.

\b
Examples:
  sage-select replay resize buffer 4096

\b
{CODES}
"""


def resize(
    buffer: BufferFolder,
    capacity: Annotated[int, typer.Argument(metavar="CAPACITY", help="Rows there may be.", show_default=False)],
    verify: Verify = True,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Change the capacity."""
    load_pyarrow()
    from sage_select.cli.replay_rows import opened

    console = Console(quiet=quiet, json_output=json_output)
    found = opened(buffer, verify=verify)
    told = found.resize(capacity)
    console.summary(
        f"{len(found):,} of {found.capacity:,} rows", {"left": f"{told.left:,} rows", "commit": told.commit}
    )
    console.result({"buffer": str(buffer), **asdict(told), "size": len(found), "capacity": found.capacity})


COMMAND: Final = Subcommand(resize, _HELP, "Change the capacity.", place=11)
