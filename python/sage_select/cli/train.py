"""The program `sage-train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sage_select.cli.build_options import with_options
from sage_select.cli.completion import completed
from sage_select.cli.console import Console, run_program
from sage_select.cli.measure import held_out_file, measured_facts, measurement_of
from sage_select.cli.train_habits import TRAIN_HABITS
from sage_select.cli.train_options import COMMAND
from sage_select.cli.train_program import TrainProgram
from sage_select.cli.train_table import train_table
from sage_select.errors import UsageError
from sage_select.paths import user_path

if TYPE_CHECKING:
    from sage_select.cli.train_settings import Told

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
  logs/           TensorBoard, and consumed.jsonl: the rows of each step with their losses
  schedule.arrow  which rows each step consumes, with weight and place
  settings.yaml   all settings, and who said them; --config takes it again
  run.json        what was run, written last

\b
Examples:
  sage-train                                           # out.arrow of the demo data, on the demo model
  sage-train --selection out.arrow --model Qwen/Qwen2.5-0.5B-Instruct
  sage-train --selection out.arrow --model ./base --load-in-4bit --bf16 --output-dir runs/a
  sage-train --selection out.arrow --model ./base --output-dir runs/a --resume
  sage-train --config train.yaml --epochs 1
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
    # Libraries take seconds to load: the first word comes before them.
    named = settings["CommandSettings"]["selection"]
    first = config if named is None and config is not None else named or "out.arrow"
    console.begin(f"sage-train: reading {user_path(Path(first))}, then loading the training libraries")
    from sage_select.cli.train_settings import Told

    told = Told()
    if config is not None:
        told.add_file(user_path(config))
    asked = {"bf16": bf16, "fp16": fp16, "fp32": fp32}
    told.add_command_line(settings, [name for name, on in asked.items() if on])
    for text in told.notices:
        console.notice(text)
    _run(console, told)


def _run(console: Console, told: Told) -> None:
    from sage_select import demo
    from sage_select.cli.train_facts import training_facts
    from sage_select.cli.train_settings import CommandSettings, MeasuringSettings
    from sage_select.io import read_manifest
    from sage_select.train import TrainConfig, train
    from sage_select.train.hardware import require_training_packages
    from sage_select.train.run_folder import RunFolder

    command = CommandSettings.make(**told.take(CommandSettings.model_fields))
    measuring = MeasuringSettings.make(**told.take(MeasuringSettings.model_fields))
    selection = user_path(command.selection)
    if not selection.exists():
        raise UsageError(
            "there is no such selection",
            where=str(selection),
            hint="make one with `sage-select build`, or name it with --selection",
        )
    manifest = read_manifest(selection, verify=told.values.get("verify", True))
    is_demo = manifest is not None and demo.is_demo(manifest)
    if "model" not in told.values:
        if not is_demo:
            raise UsageError(
                "no model is named",
                expected="--model with a folder or a repository of a causal language model",
                hint="only a selection of the built-in demo data has a model of its own",
            )
        console.notice("a selection of the demo data: using the built-in demo model and its settings")
        own = {**demo.TRAINING, "model": str(demo.model_path())}
        told.add({name: value for name, value in own.items() if name not in told.values}, "demo data")
    told.add_preset()
    config = TrainConfig.of(told.values, told.names())
    console.summary("settings", told.facts(config))
    require_training_packages()
    held_out = held_out_file(console, measuring.eval_data, is_demo=is_demo)
    if measuring.eval_data is not None and held_out is not None:
        RunFolder(config.output_dir).refuse_inputs({"eval_data": held_out})
    # What is wrong with the held-out rows is found before hours of training, not after.
    measurement = measurement_of(
        console,
        config,
        selection,
        held_out,
        measuring.eval_result,
        eval_turns=measuring.eval_turns,
    )
    result = train(
        selection,
        config,
        # The rows that are measured after training, unless there is a split for the time before.
        eval_data=held_out if config.evaluates and config.eval_split is None else None,
        stages=console.progress,
        notice=console.notice_once,
        sources=told.sources,
    )
    comparison = None if measurement is None else measurement.run(result)
    title = "already trained: the same run is there, finished" if result.cached else "trained"
    console.summary(title, training_facts(result))
    if comparison is not None:
        console.summary(f"measured on {comparison['rows']:,} held-out rows", measured_facts(comparison))
    console.result({**result.as_dict(), "evaluation": comparison})


def main() -> None:
    """Run `sage-train`."""
    run_program(_program, TRAIN_HABITS)


def _program() -> object:
    return 0 if completed(app) else app(prog_name="sage-train", standalone_mode=False)
