"""The program `sage-train`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import typer

from sage_select.cli.build_options import with_options
from sage_select.cli.completion import completed
from sage_select.cli.console import Console, run_program
from sage_select.cli.measure import evaluated_file, held_out_file, measured_facts, measurement_of
from sage_select.cli.train_habits import TRAIN_HABITS
from sage_select.cli.train_options import COMMAND, begin
from sage_select.cli.train_program import TrainProgram
from sage_select.cli.train_table import train_table

__all__ = ["app", "main"]

app = typer.Typer(
    name="sage-train",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_HELP = """Train an adapter, or a whole model, on a selection, row for row in its order.

\b
OUTPUT-DIR receives
  lora_weights/   the adapter and the tokenizer (tuned_model/ with --adapter full)
  checkpoints/    what --resume continues from
  logs/           TensorBoard, consumed.jsonl: the rows of each step with their losses, and evaluations.jsonl
  schedule.arrow  which rows each step consumes, with weight and place
  replayed.arrow  the rows of --replay that it trains
  ledger.arrow    the loss of each row in each pass, for sage-select build --ledger
  settings.yaml   all settings, and who said them; --config takes it again
  run.json        what was run, written last

\b
Examples:
  sage-train                                           # out.arrow of the demo data, on the demo model
  sage-train --selection out.arrow --model Qwen/Qwen2.5-0.5B-Instruct
  sage-train --selection out.arrow --model ./base --load-in-4bit --bf16 --output-dir runs/a
  sage-train --selection out.arrow --model ./base --output-dir runs/a --resume
  sage-train --selection week2.arrow --model ./base --from-adapter runs/week1 --replay buffer --output-dir runs/week2
  sage-train --config train.yaml --epochs 1
  sage-train preflight --config train.yaml --show 3    # what would be trained, without training
  sage-train merge runs/a --output merged              # other commands: sage-train COMMAND --help
  sage-train --selection out.arrow --model ./base --eval-data heldout.jsonl --eval-result result.json

\b
Exit codes: 0 done, 2 bad arguments, 3 refused data, 4 output exists, 5 environment, 130 interrupted.
"""


@app.command(help=_HELP, cls=TrainProgram)
@with_options(train_table().flags, COMMAND)
def train(
    settings: dict[str, dict[str, Any]],
    *,
    config: Path | None,
    bf16: bool,
    fp16: bool,
    fp32: bool,
    json_output: bool,
    quiet: bool,
    **_: Any,
) -> None:
    """Train, measure and report."""
    console = Console(quiet=quiet, json_output=json_output)
    begin(console, settings, config)
    from sage_select.cli.train_facts import training_facts
    from sage_select.cli.train_settings import configured
    from sage_select.train import train
    from sage_select.train.processes import launched
    from sage_select.train.run_folder import RunFolder

    run = configured(console, settings, config, {"bf16": bf16, "fp16": fp16, "fp32": fp32})
    held_out = held_out_file(console, run.measuring.eval_data, is_demo=run.is_demo)
    if run.measuring.eval_data is not None and held_out is not None:
        RunFolder(run.config.output_dir).refuse_inputs({"eval_data": held_out})
    measurement = None
    if launched().is_first:
        # What is wrong with the held-out rows is found before hours of training, not after.
        measurement = measurement_of(
            console,
            run.config,
            run.selection,
            held_out,
            run.measuring.eval_result,
            eval_turns=run.measuring.eval_turns,
        )
    result = train(
        run.selection,
        run.config,
        eval_data=evaluated_file(run.config, held_out),
        stages=console.progress,
        notice=console.notice_once,
        sources=run.sources,
    )
    comparison = None if measurement is None else measurement.run(result)
    title = "already trained: the same run is there, finished" if result.cached else "trained"
    console.summary(title, training_facts(result))
    if comparison is not None:
        console.summary(f"measured on {comparison['rows']:,} held-out rows", measured_facts(comparison))
    console.result({**result.as_dict(), "evaluation": comparison})


def main() -> None:
    """Run `sage-train`."""
    if not _is_first():
        sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  (until the process ends)
    run_program(_program, TRAIN_HABITS)


def _program() -> object:
    return 0 if completed(app) else app(prog_name="sage-train", standalone_mode=False)


def _is_first() -> bool:
    """Say whether this is the one of several processes that speaks; all of them would say the same."""
    return os.environ.get("RANK", "0") == "0" or os.environ.get("WORLD_SIZE", "1") == "1" or "SAGE_DEBUG" in os.environ
