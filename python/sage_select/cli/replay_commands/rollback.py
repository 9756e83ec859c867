"""`sage-select replay rollback`: a buffer as it was."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from sage_select.cli.console import Console
from sage_select.cli.replay_options import CODES, BufferFolder, Json, Quiet, Verify
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.without_pandas import load_pyarrow

__all__ = ["COMMAND", "rollback"]

_HELP: Final = f"""Make a buffer what it was at a commit. That is a commit, too, and can be gone back from.

Rows that were deleted since stay deleted.

\b
Examples:
  sage-select replay rollback buffer 3                 # of those that sage-select replay commits lists

\b
{CODES}
"""


def rollback(
    buffer: BufferFolder,
    commit: Annotated[int, typer.Argument(metavar="COMMIT", help="The number of the commit.", show_default=False)],
    verify: Verify = True,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go back."""
    load_pyarrow()
    from sage_select.cli.replay_rows import opened

    console = Console(quiet=quiet, json_output=json_output)
    found = opened(buffer, verify=verify)
    found.rollback(commit)
    console.summary(f"as at commit {commit}", {"rows": f"{len(found):,}", "commit": found.commit})
    console.result({"buffer": str(buffer), "as_at": commit, "commit": found.commit, "size": len(found)})


COMMAND: Final = Subcommand(rollback, _HELP, "Go back to a commit.", place=10)
