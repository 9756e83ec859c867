"""`sage-train preflight`: what a run would learn, from what, and at what price."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sage_select.cli.build_options import with_options
from sage_select.cli.console import Console
from sage_select.cli.measure import evaluated_file, held_out_file
from sage_select.cli.subcommands import Subcommand
from sage_select.cli.train_habits import TrainCommand
from sage_select.cli.train_options import COMMAND as OPTIONS
from sage_select.cli.train_options import begin
from sage_select.cli.train_table import train_table
from sage_select.display import counted, displayed

if TYPE_CHECKING:
    from sage_select.train.preflight.flight import Flight

__all__ = ["COMMAND", "preflight"]

_HELP: Final = """Say what a run would learn, from what, and what it would take; nothing is trained or written.

The same options and file as those of the run, which does all of this before it begins, too. --show prints rows with
what is trained marked: in green on a terminal, in [[ ]] elsewhere.

\b
Examples:
  sage-train preflight --selection out.arrow --model ./base --show 3
  sage-train preflight --config train.yaml --max-dropped 1% --max-truncated 5%

\b
Exit codes: 0 done, 2 bad arguments, 3 refused data or more lost than may be, 5 environment.
"""
_LONGEST: Final = 4_000
_BAR: Final = 30


@with_options(
    train_table().flags,
    {
        **OPTIONS,
        "show": (
            Annotated[int, typer.Option(help="How many rows to show.", min=0, max=100, rich_help_panel="Command")],
            0,
        ),
    },
)
def preflight(
    settings: dict[str, dict[str, Any]],
    *,
    config: Path | None,
    bf16: bool,
    fp16: bool,
    fp32: bool,
    show: int,
    json_output: bool,
    quiet: bool,
    **_: Any,
) -> None:
    """Look at a run before it is one."""
    console = Console(quiet=quiet, json_output=json_output)
    begin(console, settings, config)
    from sage_select.cli.train_settings import configured
    from sage_select.train import preflight as looked_at

    run = configured(console, settings, config, {"bf16": bf16, "fp16": fp16, "fp32": fp32})
    asked = run.config.evaluates
    held_out = held_out_file(console, run.measuring.eval_data, is_demo=run.is_demo) if asked else None
    flight = looked_at(
        run.selection,
        run.config,
        eval_data=evaluated_file(run.config, held_out),
        stages=console.progress,
        notice=console.notice,
        check=False,
    )
    shown = list(_shown(flight, show))
    for title, facts in _facts(flight).items():
        console.summary(title, facts)
    for row_id, pieces in shown:
        console.answer(f"\nid {displayed(row_id)}\n{_marked(pieces)}")
    flight.report.check()
    console.result({**flight.as_dict(), "shown": [{"row_id": row_id, "pieces": pieces} for row_id, pieces in shown]})


def _facts(flight: Flight) -> dict[str, Mapping[str, object]]:
    """Return what is said of a run, by headings."""
    from sage_select.cli.train_facts import padding_in_words, replay_facts, row_facts, steps_in_words

    report, price = flight.report, flight.estimate
    answers, lengths, calls = report.answers, report.lengths, report.calls
    rows: dict[str, object] = row_facts(report.rows.as_dict())
    rows["answers"] = (
        f"{answers.count:,}, {answers.with_end:,} of which end in a token by which a model stops; "
        + ", ".join(f"{one['place']}: {one['tokens']:,} tokens in {one['answers']:,}" for one in answers.by_place)
    )
    if report.rows.final_turns_lost:
        rows["final answer lost"] = counted(report.rows.final_turns_lost, "row")
    if calls.calls:
        rows["calls of tools"] = (
            f"{calls.calls:,}; {calls.unknown.total():,} of tools that their rows do not offer, {calls.nulls:,} with "
            "a null among the arguments"
        )
    rows["chat template"] = f"{report.template[:12]}, tokens by {report.tokenizer[:12]}"
    most = max(one["examples"] for one in lengths.histogram)
    histogram: dict[str, object] = {
        f"to {one['up_to']:,}": f"{one['examples']:>9,} {'#' * round(_BAR * one['examples'] / most)}"
        for one in lengths.histogram
    }
    spread = ", ".join(f"{name} {value:,.0f}" for name, value in lengths.spread.items())
    # What is told of an order that is decided while training, but for whole passes, is about so.
    about = "" if flight.rounds is None else "about "
    whole = flight.schedule.passes == int(flight.schedule.passes)
    run: dict[str, object] = {
        "steps": steps_in_words(flight.schedule),
        "order": None
        if flight.rounds is None
        else f"decided while training, in {counted(flight.rounds['rounds'], 'round')}; to measure what is left before "
        f"{flight.rounds['measured']:,} of them takes {flight.rounds['forward_passes']:,} forward passes more",
        "tokens": f"{'' if whole else about}{flight.schedule.tokens:,} in all",
        "padding": f"{about}{padding_in_words(flight.schedule)}; {100 * flight.padding['packed']:.2g} % with --packing",
        "weights": f"{price.parameters:,}, {price.trained_parameters:,} of them trained",
        "memory": f"about {price.memory_bytes / 1e9:.2g} GB: {price.weight_bytes / 1e9:.2g} of frozen weights, "
        f"{price.trained_bytes / 1e9:.2g} of what is trained, {price.activation_bytes / 1e9:.2g} of activations",
        "time": f"at least {_duration(price.seconds_at_least)}: so long the matrix products take alone",
    }
    told = {name: text for name, text in run.items() if text is not None}
    if flight.replay is not None:
        told = {"steps": told.pop("steps"), **replay_facts(flight.replay), **told}
    return {"rows": rows, f"tokens a row: {spread}": histogram, "run": told}


def _duration(seconds: float) -> str:
    for size, unit in ((3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.2g} seconds"


def _shown(flight: Flight, count: int) -> Iterator[tuple[str, list[tuple[bool, str]]]]:
    """Yield so many examples at equal distances: the id of the row, and its text in parts, each trained or not."""
    import numpy as np

    from sage_select.inspection.shown import decoded

    rows, tokenizer = flight.prepared.rows, flight.prepared.renderer.tokenizer
    total = len(rows.row_ids)
    for place in np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(int)).tolist():
        ids, labels = (rows.table[name][place].as_py() for name in ("input_ids", "labels"))
        yield rows.row_ids[place], [(piece.trained, piece.text) for piece in decoded(ids, labels, tokenizer)]


def _marked(pieces: list[tuple[bool, str]]) -> str:
    """Return a text with what is trained marked; of a very long one, the beginning and the end."""
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    begin_, end = ("\x1b[32m", "\x1b[0m") if coloured else ("[[", "]]")
    parts = []
    for trained, text in pieces:
        safe = "\n".join(displayed(line) for line in text.split("\n"))
        if len(safe) > _LONGEST:
            half = _LONGEST // 2
            safe = f"{safe[:half]}\n... ({len(safe) - _LONGEST:,} more characters)\n{safe[-half:]}"
        parts.append(f"{begin_}{safe}{end}" if trained else safe)
    return "".join(parts)


COMMAND: Final = Subcommand(preflight, _HELP, "Say what a run would learn and take.", TrainCommand)
