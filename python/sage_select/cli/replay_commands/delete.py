"""`sage-select replay delete`: rows deleted for good."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from sage_select.cli.console import Console
from sage_select.cli.replay_options import CODES, BufferFolder, Json, Quiet, Verify
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.without_pandas import load_pyarrow

__all__ = ["COMMAND", "delete"]

_HELP: Final = f"""Delete rows for good: from the buffer, its files, its log and all older commits.

They never come in again. The receipt says which rows were deleted, by keyed hashes, and which files were rewritten or
removed.

\b
Examples:
  sage-select replay delete buffer gone.txt            # ids, one a line; or a file of rows
  sage-select replay delete buffer --id ticket-4711 --id ticket-4712
  sage-select replay delete buffer --where user=u17 --json > receipt.json

\b
{CODES}
"""


def delete(
    buffer: BufferFolder,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[IDFILE]", help="Ids, one a line (.txt), or a file of the rows themselves.", show_default=False
        ),
    ] = None,
    ids: Annotated[
        list[str] | None, typer.Option("--id", metavar="ID", help="A row; may be given several times.")
    ] = None,
    where: Annotated[
        str | None, typer.Option(metavar="COLUMN=VALUE", help="All rows of the buffer with this value.")
    ] = None,
    verify: Verify = True,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Delete the rows and print the receipt."""
    load_pyarrow()
    from sage_select.cli.replay_rows import condition, ids_in, opened
    from sage_select.errors import UsageError

    console = Console(quiet=quiet, json_output=json_output)
    given = [name for name, one in (("IDFILE", file), ("--id", ids), ("--where", where)) if one]
    if len(given) != 1:
        raise UsageError(
            "it is not said which rows to delete" if not given else f"{' and '.join(given)} are given",
            expected="one of IDFILE, --id and --where",
        )
    found = opened(buffer, verify=verify)
    if where is not None:
        receipt = found.delete(where=condition(where, found.table()))
    else:
        receipt = found.delete(ids or ids_in(file or Path(), found, console, verify=verify))
    facts = {
        "rows": f"{len(receipt.deleted):,} deleted, {len(receipt.absent):,} that were not there",
        "rewritten": ", ".join(receipt.rewritten) or "no file",
        "removed": ", ".join(receipt.removed) or "no file",
        "ended": f"commits {', '.join(map(str, receipt.ended))}" if receipt.ended else "no commit",
        "commit": receipt.commit,
    }
    console.summary("deleted for good", facts)
    console.result({"buffer": str(buffer), "receipt": receipt.as_dict()})


COMMAND: Final = Subcommand(delete, _HELP, "Delete rows for good.", place=7)
