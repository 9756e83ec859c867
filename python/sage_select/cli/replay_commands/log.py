"""`sage-select replay log`: each time that a row came, left, was scored anew or deleted."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from sage_select.cli.console import Console
from sage_select.cli.groups import GroupedCommand
from sage_select.cli.replay_options import CODES, BufferFolder, Force, Json, Output, OverwriteForeign, Quiet, Verify
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.without_pandas import load_pyarrow

__all__ = ["COMMAND", "log"]

_HELP: Final = f"""Show the log of a buffer: each time that a row came, left, was scored anew or deleted, and why.

Rows that never came in are counted (sage-select replay stats), and not listed. Deleted rows have names of their own.

\b
Examples:
  sage-select replay log buffer
  sage-select replay log buffer --row ticket-4711
  sage-select replay log buffer -o log.parquet

\b
{CODES}
"""

_SHOWN: Final = ("commit", "event", "row_id", "reason", "replaced_by", "score", "group")


def log(
    buffer: BufferFolder,
    row: Annotated[str | None, typer.Option(metavar="ID", help="What became of this row alone.")] = None,
    output: Output = None,
    force: Force = False,
    overwrite_foreign: OverwriteForeign = False,
    verify: Verify = True,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show or write the log."""
    load_pyarrow()
    import pyarrow.compute as pc

    from sage_select.cli.replay_rows import buffer_input, opened, write_rows, written_target
    from sage_select.display import displayed

    console = Console(quiet=quiet, json_output=json_output)
    if output is not None:
        written_target(output, [buffer_input(buffer)], force=force, overwrite_foreign=overwrite_foreign, anew=True)
    found = opened(buffer, verify=verify)
    events = found.history()
    if row is not None:
        events = events.filter(pc.or_kleene(pc.equal(events["row_id"], row), pc.equal(events["replaced_by"], row)))
    facts: dict[str, Any] = {"buffer": str(buffer), "commit": found.commit, "events": events.num_rows}
    if output is not None:
        outcome = write_rows(
            events, output, console, {"replay": facts}, force=force, overwrite_foreign=overwrite_foreign
        )
        console.summary("log", {"events": f"{events.num_rows:,}", "output": outcome.output})
        console.result({**facts, "output": str(outcome.output)})
        return
    shown = [_SHOWN, *(tuple(_text(one[name]) for name in _SHOWN) for one in events.to_pylist())]
    widths = [max(len(displayed(line[place])) for line in shown) for place in range(len(_SHOWN))]
    lines = [
        "  ".join(displayed(text).ljust(width) for text, width in zip(line, widths, strict=True)) for line in shown
    ]
    console.answer("\n".join(line.rstrip() for line in lines))
    console.result({**facts, "log": events.to_pylist() if json_output else []})


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


COMMAND: Final = Subcommand(log, _HELP, "Show what became of rows.", GroupedCommand, place=6)
