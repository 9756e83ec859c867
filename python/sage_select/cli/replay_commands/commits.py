"""`sage-select replay commits`: what a buffer can be gone back to."""

from __future__ import annotations

from typing import Final

from sage_select.cli.console import Console
from sage_select.cli.replay_options import CODES, BufferFolder, Json, Verify
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.without_pandas import load_pyarrow

__all__ = ["COMMAND", "commits"]

_HELP: Final = f"""List the commits that a buffer can be gone back to: the last ones, and those of snapshots.

\b
Examples:
  sage-select replay commits buffer

\b
{CODES}
"""


def commits(buffer: BufferFolder, verify: Verify = True, json_output: Json = False) -> None:
    """List the commits."""
    load_pyarrow()
    from sage_select.cli.replay_rows import opened

    console = Console(json_output=json_output)
    found = opened(buffer, verify=verify)
    held = found.snapshots()
    rows = []
    for number in found.commits():
        stats = opened(buffer, verify=verify, commit=number).stats()
        rows.append({"commit": number, "size": stats["size"], "seen": stats["seen"], "snapshot": number in held})
    lines = [
        f"{one['commit']:>8}  {one['size']:>9,} rows of {one['seen']:,} seen"
        + ("  snapshot" if one["snapshot"] else "")
        for one in rows
    ]
    console.answer("\n".join(lines))
    console.result({"buffer": str(buffer), "commit": found.commit, "commits": rows})


COMMAND: Final = Subcommand(commits, _HELP, "List commits.", place=8)
