"""Arguments and options that several commands of `sage-select replay` have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

__all__ = [
    "CODES",
    "BufferFolder",
    "Files",
    "Force",
    "Json",
    "Output",
    "OverwriteForeign",
    "Quiet",
    "Verify",
]

_RUN: Final = "Running"
_WRITE: Final = "Output"

CODES: Final = "Exit codes: 0 done, 2 bad arguments, 3 refused data, 4 output exists, 5 environment, 130 interrupted."

BufferFolder = Annotated[Path, typer.Argument(metavar="BUFFER", help="The folder of the buffer.", show_default=False)]
Files = Annotated[
    list[str],
    typer.Argument(metavar="FILE", help="Files, folders, patterns or URLs with rows, as of build.", show_default=False),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="Where to write; the format follows the name (.arrow, .parquet, .jsonl and others).",
        show_default=False,
        rich_help_panel=_WRITE,
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Replace an output of sage-select (one with its manifest beside it).",
        rich_help_panel=_WRITE,
    ),
]
OverwriteForeign = Annotated[
    bool,
    typer.Option(
        "--overwrite-foreign",
        help="With --force: replace what is not an output of sage-select, too.",
        rich_help_panel=_WRITE,
    ),
]
Verify = Annotated[
    bool,
    typer.Option(
        "--verify/--no-verify",
        help="Refuse files that were changed since they were written. [default: verify]",
        show_default=False,
        rich_help_panel=_RUN,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object on stdout.", rich_help_panel=_RUN)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.", rich_help_panel=_RUN)]
