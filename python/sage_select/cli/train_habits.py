"""Options that people type who know other trainers (TRL, LLaMA-Factory, axolotl, PEFT)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from typer.core import TyperCommand

__all__ = ["ALIASES", "TRAIN_HABITS", "TrainCommand"]

#: Other spelling -> our option. Only where the value means the same: it is taken as such.
ALIASES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("-o", "--out", "--output", "--save-dir"), "--output-dir"),
    **dict.fromkeys(("-i", "--input", "--data", "--dataset", "--train-file", "--train-data"), "--selection"),
    **dict.fromkeys(("-m", "--base-model", "--model-name", "--model-name-or-path"), "--model"),
    "--lr": "--learning-rate",
    **dict.fromkeys(("--num-epochs", "--num-train-epochs"), "--epochs"),
    "--micro-batch-size": "--batch-size",
    "--per-device-train-batch-size": "--batch-size",
    "--gradient-accumulation-steps": "--gradient-accumulation",
    "--lr-scheduler": "--schedule",
    "--lr-scheduler-type": "--schedule",
    "--warmup-ratio": "--warmup",
    "--warmup-steps": "--warmup",
    "--max-seq-length": "--max-length",
    "--cutoff-len": "--max-length",
    "--sequence-len": "--max-length",
    "--truncation-mode": "--on-long-row",
    "--sample-packing": "--packing",
    "--rank": "--lora-r",
    "--lora-rank": "--lora-r",
    "--alpha": "--lora-alpha",
    "--dropout": "--lora-dropout",
    "--target-modules": "--lora-target",
    "--lora-target-modules": "--lora-target",
    "--load-in-4-bit": "--load-in-4bit",
    "--4bit": "--load-in-4bit",
    "--qlora": "--load-in-4bit",
    "--8bit": "--load-in-8bit",
    "--activation-checkpointing": "--gradient-checkpointing",
    "--save-total-limit": "--keep-checkpoints",
    **dict.fromkeys(("--overwrite", "--overwrite-output-dir"), "--force"),
    **dict.fromkeys(("--eval-dataset", "--eval-file", "--validation-file", "--test-file"), "--eval-data"),
}

_ORDER: Final = "rows are trained in the order of the selection"

#: Options of other trainers that there are none of -> what to do instead.
TRAIN_HABITS: Final[Mapping[str, str]] = {
    "--merge": "the adapter is saved alone: PeftModel.from_pretrained(base, 'lora_weights').merge_and_unload()",
    "--merge-adapter": "the adapter is saved alone: PeftModel.from_pretrained(base, 'lora_weights').merge_and_unload()",
    "--use-dora": "the adapter is a plain LoRA; set its size with --lora-r and --lora-alpha",
    "--dora": "the adapter is a plain LoRA; set its size with --lora-r and --lora-alpha",
    "--use-rslora": "the adapter is scaled by alpha / r; for the scale of rsLoRA give --lora-alpha alpha * sqrt(r)",
    "--use-peft": "an adapter is always trained: leave it out",
    "--lora": "a LoRA adapter is always trained: leave it out, or set its rank with --lora-r",
    "--full": "only adapters are trained; the model itself stays as it is",
    "--full-finetuning": "only adapters are trained; the model itself stays as it is",
    "--packing-strategy": "--packing alone packs the rows of a step, by next-fit: whole rows, in their order",
    "--shuffle": f"{_ORDER}; `sage-select build` shuffles them unless --order says otherwise",
    "--data-seed": f"{_ORDER}; `sage-select build --seed` shuffles them otherwise",
    "--group-by-length": f"{_ORDER}, those of one step sorted by length; "
    "`sage-select build --order length` puts rows of a length together",
    "--train-sampling-strategy": f"{_ORDER}; `sage-select build --order` chooses it",
    "--curriculum-sampling": f"{_ORDER}; `sage-select build --order easy_to_hard` is a curriculum",
    "--optim": "the optimizer is AdamW",
    "--optimizer": "the optimizer is AdamW",
    "--resume-from-checkpoint": "say --resume alone: it goes on from the newest whole checkpoint",
    "--report-to": "TensorBoard logs are always written, to logs/ in the output folder",
    "--use-wandb": "TensorBoard logs are always written, to logs/ in the output folder",
    "--deepspeed": "one process trains, on one GPU or the CPU; hold a large model with --load-in-4bit",
    "--fsdp": "one process trains, on one GPU or the CPU; hold a large model with --load-in-4bit",
    "--device": "a GPU is used where there is one; hide it with CUDA_VISIBLE_DEVICES= to train on the CPU",
    "--use-cpu": "hide the GPU with CUDA_VISIBLE_DEVICES= to train on the CPU",
    "--push-to-hub": "nothing is uploaded: `hf upload NAME lora_weights` sends the adapter",
    "--config": "settings are options of the command line; --help lists them",
    "--save-strategy": "checkpoints are written about ten times a run; set the steps between with --save-steps",
    "--eval-steps": "the adapter is measured after training, on --eval-data",
    "--eval-strategy": "the adapter is measured after training, on --eval-data",
    "--assistant-only-loss": "only answers are trained, always: leave it out",
    "--completion-only-loss": "only answers are trained, always: leave it out",
    "--train-on-inputs": "only answers are trained; to train on every token, read rows as --text-column",
    "--budget": "sage-train takes every row of the selection; choose how many with `sage-select build --budget`",
    "--k": "sage-train takes every row of the selection; choose how many with `sage-select build --budget`",
}


class TrainCommand(TyperCommand):
    """A command that takes an option by its aliases, and `--learning_rate` for `--learning-rate`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Translate the names of options before they are parsed; values stay as they are."""
        known = {name for one in self.get_params(ctx) for name in (*one.opts, *one.secondary_opts)}
        return super().parse_args(ctx, list(_translated(args, known)))


def _translated(arguments: Iterable[str], known: set[str]) -> Iterator[str]:
    end = False
    for argument in arguments:
        end = end or argument == "--"
        name, equals, value = argument.partition("=")
        if end or not name.startswith("-") or name in known:
            yield argument
            continue
        spelt = name.replace("_", "-")
        yield ALIASES.get(spelt, spelt if spelt in known else name) + equals + value
