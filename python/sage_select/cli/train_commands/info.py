"""`sage-train info`: what a folder holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sage_select.cli.console import Console
from sage_select.cli.streams import emit
from sage_select.cli.subcommands import Subcommand

__all__ = ["COMMAND", "info"]

_HELP: Final = """Say what a run, an adapter or a trained model is, and whether a run is finished or can go on.

Nothing is loaded but the headers of files.

\b
Examples:
  sage-train info runs/a
  sage-train info runs/a/lora_weights --json

\b
Exit codes: 0 done, 2 bad arguments, 3 damaged files.
"""


def info(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The output folder of a run, or the folder of an adapter.")
    ],
    json_output: Annotated[bool, typer.Option("--json", help="Print it as one JSON object on stdout.")] = False,
) -> None:
    """Print what a folder holds."""
    from sage_select.train.describe import describe

    console = Console(quiet=True, json_output=json_output)
    found = describe(folder)
    if json_output:
        console.result(found)
        return
    lines = [(name, _shown(name, value)) for name, value in found.items() if value is not None]
    width = max(len(name) for name, _ in lines)
    emit("".join(f"{name.replace('_', ' '):<{width}}  {text}\n" for name, text in lines))


def _shown(name: str, value: Any) -> str:
    """Return a value in words."""
    if name == "finished":
        return "yes" if value else "no"
    if name == "parameters" and isinstance(value, dict):
        trained, total = value.get("trained"), value.get("total")
        share = f" of {total:,}, {trained / total:.2%}" if trained is not None and total else ""
        return f"{total:,}" if trained is None else f"{trained:,} trained{share}"
    if name == "held_out":
        return _held_out(value)
    if name == "bytes":
        return f"{value / 1e6:,.1f} MB"
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_number(one)}" for key, one in value.items() if one is not None)
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return _number(value)


def _held_out(value: Mapping[str, Any]) -> str:
    """Return what the evaluations of a run came to in words."""
    from sage_select.cli.train_facts import held_out_in_words

    said = held_out_in_words(value, value.get("loss_of", "loss"))
    if value.get("stopped_early"):
        said += f"; stopped early, after step {value['last']['step']:,}"
    weights_of = value.get("weights_of")
    return said if weights_of in (None, value["last"]["step"]) else f"{said}; the weights are of step {weights_of:,}"


def _number(value: Any) -> str:
    return f"{value:,}" if type(value) is int else f"{value:.4g}" if isinstance(value, float) else str(value)


COMMAND: Final = Subcommand(info, _HELP, "Say what a run or an adapter is.")
