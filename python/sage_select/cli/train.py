"""The program `sage-train`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sage_select import __version__
from sage_select.cli.completion import completed
from sage_select.cli.console import Console, run_program
from sage_select.cli.events import EVENTS_HELP
from sage_select.cli.measure import measured_facts, measurement_of
from sage_select.cli.streams import emit
from sage_select.cli.train_habits import TRAIN_HABITS, TrainCommand
from sage_select.errors import UsageError
from sage_select.paths import user_path

__all__ = ["app", "main"]

app = typer.Typer(
    name="sage-train",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_HELP = """Train a LoRA adapter on a selection, row for row in its order.

\b
OUTPUT-DIR receives
  lora_weights/   the adapter and the tokenizer
  checkpoints/    what --resume continues from
  logs/           TensorBoard, and consumed.jsonl: the rows of each step with their losses
  schedule.arrow  which rows each step consumes, with weight and place
  run.json        what was run, written last

\b
Examples:
  sage-train                                           # out.arrow of the demo data, on the demo model
  sage-train --selection out.arrow --model Qwen/Qwen2.5-0.5B-Instruct
  sage-train --selection out.arrow --model ./base --load-in-4bit --bf16 --output-dir runs/a
  sage-train --selection out.arrow --model ./base --output-dir runs/a --resume
  sage-train --selection out.arrow --model ./base --eval-data heldout.jsonl --eval-result result.json

\b
Exit codes: 0 done, 2 bad arguments, 3 refused data, 4 output exists, 5 environment, 130 interrupted.
"""


def _print_version(asked: bool) -> None:
    if asked:
        emit(f"sage-train {__version__}\n")
        raise typer.Exit


@app.command(help=_HELP, cls=TrainCommand)
def train(
    selection: Annotated[
        Path, typer.Option(help="A file written by `sage-select build`, or any table it can read.")
    ] = Path("out.arrow"),
    model: Annotated[
        str | None,
        typer.Option(help="Folder or repository of the base model. [default: the demo model, for the demo data]"),
    ] = None,
    output_dir: Annotated[
        Path | None, typer.Option(help="Folder for everything the run makes. [default: ~/.sage/agent_training]")
    ] = None,
    resume: Annotated[
        bool | None, typer.Option("--resume", help="Continue the unfinished run from its newest whole checkpoint.")
    ] = None,
    verify: Annotated[
        bool | None,
        typer.Option(
            "--verify/--no-verify",
            help="Refuse a selection, or its manifest, that was changed since it was written. [default: verify]",
        ),
    ] = None,
    force: Annotated[bool | None, typer.Option("--force", help="Replace another run in the output folder.")] = None,
    max_length: Annotated[
        int | None,
        typer.Option(
            help="Longest row in tokens; what is longer is treated as --on-long-row says. "
            "[default: the model's context, at most 2048]"
        ),
    ] = None,
    on_long_row: Annotated[
        str | None,
        typer.Option(
            metavar="POLICY",
            help="What to do with longer rows: keep_turns (conversations lose whole turns, the oldest first, and keep "
            "system turns, tools and the last user turn; plain texts keep their start), keep_end, keep_start, drop or "
            "error. [default: keep_turns]",
        ),
    ] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the rows. [default: 3]")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Optimizer steps; wins over --epochs.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows in one forward pass. [default: 4]")] = None,
    gradient_accumulation: Annotated[
        int | None,
        typer.Option(
            help="Forward passes in one step; batch size x this many rows make a step. Raise it and lower the batch "
            "size where memory is short. [default: 4]"
        ),
    ] = None,
    packing: Annotated[
        bool | None,
        typer.Option(
            "--packing",
            help="Put several rows of a step into one sequence, no longer than the longest of them, each seeing only "
            "itself: the same steps, with less padding. Refused for models that would mix them. [default: rows of a "
            "step are sorted by length]",
        ),
    ] = None,
    packing_lookback: Annotated[
        int | None,
        typer.Option(help="With --packing: how many of the last sequences a row may go into. [default: 8]"),
    ] = None,
    schedule_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The rows that each step consumes, as the schedule.arrow of a run has them (row_id; step, slot, "
            "example, weight, phase, origin and parent_id where given), instead of --epochs and --max-steps.",
        ),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak rate; LoRA takes about ten times that of full tuning. [default: 2e-4]")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(help="How the rate falls: cosine, linear or constant. [default: cosine]")
    ] = None,
    warmup: Annotated[
        float | None, typer.Option(help="Below 1 a share of the steps, from 1 on a number of steps. [default: 0.03]")
    ] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Weight decay of AdamW. [default: 0]")] = None,
    max_grad_norm: Annotated[
        float | None, typer.Option(help="Gradients are clipped to this norm; 0 turns it off. [default: 1]")
    ] = None,
    lora_r: Annotated[
        int | None, typer.Option(help="Rank of the adapter: how much it can learn, and how large it is. [default: 64]")
    ] = None,
    lora_alpha: Annotated[
        int | None, typer.Option(help="Scale of the adapter; alpha / r multiplies its update. [default: 128]")
    ] = None,
    lora_dropout: Annotated[
        float | None,
        typer.Option(help="Dropout before the adapter; 0 where experts' stacked weights have one. [default: 0.05]"),
    ] = None,
    lora_target: Annotated[
        list[str] | None,
        typer.Option(
            help="What gets an adapter: layers (q_proj,v_proj), paths or what holds layers (layers.0.self_attn), "
            "experts (of a mixture), or re:PATTERN, a regular expression for whole paths; repeatable. Routers only "
            "where named. [default: all-linear]"
        ),
    ] = None,
    bf16: Annotated[bool, typer.Option("--bf16", help="Compute in bfloat16. [default on a GPU that has it]")] = False,
    fp16: Annotated[bool, typer.Option("--fp16", help="Compute in float16; needs a GPU.")] = False,
    fp32: Annotated[bool, typer.Option("--fp32", help="Compute in float32. [default on a CPU]")] = False,
    load_in_4bit: Annotated[
        bool | None, typer.Option("--load-in-4bit", help="Hold the base model in 4 bits a weight (NF4, QLoRA).")
    ] = None,
    load_in_8bit: Annotated[
        bool | None, typer.Option("--load-in-8bit", help="Hold the base model in 8 bits a weight.")
    ] = None,
    gradient_checkpointing: Annotated[
        bool | None,
        typer.Option(
            "--gradient-checkpointing/--no-gradient-checkpointing",
            help="Compute activations twice: less memory, a third more time. [default: on]",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of the adapter's first weights and of dropout; never of the order. [default: 0]")
    ] = None,
    save_steps: Annotated[
        int | None,
        typer.Option(
            help="Steps between checkpoints; one is always written at the end. [default: a tenth of the steps, and "
            "after every ten minutes]"
        ),
    ] = None,
    keep_checkpoints: Annotated[int | None, typer.Option(help="Checkpoints kept, the newest. [default: 2]")] = None,
    logging_steps: Annotated[
        int | None, typer.Option(help="Steps between two points in the TensorBoard log. [default: 10]")
    ] = None,
    chat_template: Annotated[
        Path | None, typer.Option(help="Jinja file to write conversations with. [default: the model's own]")
    ] = None,
    thinking_history: Annotated[
        str | None,
        typer.Option(
            metavar="split|last",
            help="Answers that the template writes differently once others follow (thinking models): each in an "
            "example of its own, or only the last. [default: split]",
        ),
    ] = None,
    on_lost_words: Annotated[
        str | None,
        typer.Option(
            metavar="warn|error", help="What to do where the chat template leaves out words of rows. [default: warn]"
        ),
    ] = None,
    on_bad_row: Annotated[
        str | None,
        typer.Option(
            metavar="error|drop",
            help="What to do with rows that cannot be read or that the chat template refuses. "
            "[default: error for the former, drop for the latter]",
        ),
    ] = None,
    max_bad: Annotated[
        str | None, typer.Option(metavar="SHARE", help="The most rows that --on-bad-row drop leaves out. [default: 1%]")
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(help="The column to train on as plain text, where no manifest tells.")
    ] = None,
    prompt_column: Annotated[str | None, typer.Option(help="The column with the prompt.")] = None,
    completion_column: Annotated[str | None, typer.Option(help="The column with the completion.")] = None,
    template: Annotated[str | None, typer.Option(help='Plain text from columns, such as "{title}\\n{body}".')] = None,
    eval_data: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|none",
            help="Held-out rows on which the tuned model is measured beside the base model; those that are among the "
            "selected rows are left out. "
            "[default: the built-in ones for the demo data, else none]",
        ),
    ] = None,
    eval_result: Annotated[
        Path | None,
        typer.Option(
            help="File for that comparison and every generated turn, as JSON. Replaces an older one, nothing else."
        ),
    ] = None,
    eval_turns: Annotated[
        str | None,
        typer.Option(
            metavar="N|all",
            help="The most turns that are generated of those that call tools, and of those that do not. [default: 200]",
        ),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")] = False,
    _events: Annotated[str | None, typer.Option("--events", metavar="FILE", help=EVENTS_HELP)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Train, measure and report."""
    given = {
        "output_dir": output_dir,
        "resume": resume,
        "verify": verify,
        "force": force,
        "max_length": max_length,
        "on_long_row": on_long_row,
        "epochs": epochs,
        "max_steps": max_steps,
        "batch_size": batch_size,
        "gradient_accumulation": gradient_accumulation,
        "packing": packing,
        "packing_lookback": packing_lookback,
        "schedule_file": schedule_file,
        "learning_rate": learning_rate,
        "schedule": schedule,
        "warmup": warmup,
        "weight_decay": weight_decay,
        "max_grad_norm": max_grad_norm,
        "lora_r": lora_r,
        "lora_alpha": lora_alpha,
        "lora_dropout": lora_dropout,
        "lora_target": lora_target or None,
        "precision": _precision(bf16=bf16, fp16=fp16, fp32=fp32),
        "load_in_4bit": load_in_4bit,
        "load_in_8bit": load_in_8bit,
        "gradient_checkpointing": gradient_checkpointing,
        "seed": seed,
        "save_steps": save_steps,
        "keep_checkpoints": keep_checkpoints,
        "logging_steps": logging_steps,
        "chat_template": chat_template,
        "thinking_history": thinking_history,
        "on_lost_words": on_lost_words,
        "on_bad_row": on_bad_row,
        "max_bad": max_bad,
        "text_column": text_column,
        "prompt_column": prompt_column,
        "completion_column": completion_column,
        "template": template,
    }
    console = Console(quiet=quiet, json_output=json_output)
    options = {name: value for name, value in given.items() if value is not None}
    _run(console, selection, model, options, eval_data, eval_result, eval_turns)


def _precision(**flags: bool) -> str | None:
    asked = [name for name, on in flags.items() if on]
    if len(asked) > 1:
        raise UsageError(f"--{' and --'.join(asked)} exclude each other", hint="choose one of them")
    return asked[0] if asked else None


def _run(
    console: Console,
    selection: Path,
    model: str | None,
    options: Mapping[str, Any],
    eval_data: str | None,
    eval_result: Path | None,
    eval_turns: str | None,
) -> None:
    # Libraries take seconds to load: the first word comes before them.
    selection = user_path(selection)
    console.begin(f"sage-train: reading {selection}, then loading the training libraries")
    from sage_select import demo
    from sage_select.cli.train_facts import training_facts
    from sage_select.io import read_manifest
    from sage_select.train import TrainConfig, train
    from sage_select.train.hardware import require_training_packages
    from sage_select.train.run_folder import RunFolder

    if not selection.exists():
        raise UsageError(
            "there is no such selection",
            where=str(selection),
            hint="make one with `sage-select build`, or name it with --selection",
        )
    manifest = read_manifest(selection, verify=options.get("verify", True))
    is_demo = manifest is not None and demo.is_demo(manifest)
    if model is None:
        if not is_demo:
            raise UsageError(
                "no model is named",
                expected="--model with a folder or a repository of a causal language model",
                hint="only a selection of the built-in demo data has a model of its own",
            )
        console.notice("a selection of the demo data: using the built-in demo model and its settings")
        config = TrainConfig(**{**demo.TRAINING, **options, "model": demo.model_path()})
    else:
        config = TrainConfig(**options, model=model)
    require_training_packages()
    if eval_data not in (None, "none"):
        RunFolder(config.output_dir).refuse_inputs({"eval_data": eval_data})
    # What is wrong with the held-out rows is found before hours of training, not after.
    measurement = measurement_of(
        console, config, selection, eval_data, eval_result, eval_turns=eval_turns, is_demo=is_demo
    )
    result = train(selection, config, stages=console.progress, notice=console.notice)
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
