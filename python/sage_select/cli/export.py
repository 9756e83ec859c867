"""`sage-select export`: the entry by which another trainer reads a selection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from sage_select.cli.console import Console
from sage_select.cli.without_pandas import load_pyarrow

__all__ = ["EXPORT_HELP", "export"]

#: The targets, by the files that declare them: `--help` loads none.
_TARGETS: Final = sorted(file.stem for file in (Path(__file__).parent.parent / "export" / "targets").glob("[!_]*.py"))

EXPORT_HELP = """Print the entry by which another trainer reads a selection as planned, in its order.

\b
axolotl: `datasets` of its YAML. llamafactory: an entry of dataset_info.json. trl: a file for `trl sft --config`.
What the trainer cannot read is refused, with the format to build instead; what it reads otherwise is told.

\b
Examples:
  sage-select export out.jsonl --to axolotl > axolotl.yaml
  sage-select export out.parquet --to llamafactory > data/dataset_info.json

\b
Exit codes: 0 done, 2 bad arguments or a format that the trainer cannot read, 3 refused data, 5 environment.
"""


def export(
    selection: Annotated[Path, typer.Argument(metavar="SELECTION", help="An output of sage-select build.")],
    to: Annotated[str, typer.Option("--to", metavar=f"[{'|'.join(_TARGETS)}]", help="The trainer.")],
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Check the output against its manifest. [default: verify]")
    ] = True,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
) -> None:
    """Print the entry."""
    load_pyarrow()
    from sage_select.export import TARGETS, select_for_export
    from sage_select.export import export as entry_of

    console = Console(quiet=quiet, json_output=json_output)
    target = TARGETS.need(to)
    made = entry_of(select_for_export(selection, verify=verify), target)
    for note in made.notes:
        console.notice(note)
    console.answer(made.text.removesuffix("\n"))
    console.result({"target": target.name, "entry": made.value})
