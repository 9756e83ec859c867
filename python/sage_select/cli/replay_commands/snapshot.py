"""`sage-select replay snapshot`: a commit that is held."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from sage_select.cli.console import Console
from sage_select.cli.replay_options import CODES, BufferFolder, Json, Quiet, Verify
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.without_pandas import load_pyarrow

__all__ = ["COMMAND", "snapshot"]

_HELP: Final = f"""Hold the last commit, so that it can be gone back to however many come after it; or release one.

\b
Examples:
  sage-select replay snapshot buffer
  sage-select replay snapshot buffer --release 3

\b
{CODES}
"""


def snapshot(
    buffer: BufferFolder,
    release: Annotated[int | None, typer.Option(metavar="COMMIT", help="Hold this commit no longer.")] = None,
    verify: Verify = True,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Hold a commit, or release one."""
    load_pyarrow()
    from sage_select.cli.replay_rows import opened

    console = Console(quiet=quiet, json_output=json_output)
    found = opened(buffer, verify=verify)
    number = release
    if number is None:
        number = found.snapshot()
    else:
        found.release(number)
    console.summary("held" if release is None else "released", {"commit": number})
    console.result({"buffer": str(buffer), "snapshot": number, "held": release is None, "commit": found.commit})


COMMAND: Final = Subcommand(snapshot, _HELP, "Hold the last commit.", place=9)
