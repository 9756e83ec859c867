"""Options that people type who know other trainers (TRL, LLaMA-Factory, axolotl, PEFT)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sage_select.cli.groups import GroupedCommand
from sage_select.cli.train_table import train_table

__all__ = ["TRAIN_HABITS", "TrainCommand"]

_ORDER: Final = "rows are trained in the order of the selection"

#: Options of other trainers that there are none of -> what to do instead.
TRAIN_HABITS: Final[Mapping[str, str]] = {
    "--merge": "`sage-train merge OUTPUT-DIR --output FOLDER` writes the model with the adapter in it",
    "--merge-adapter": "`sage-train merge OUTPUT-DIR --output FOLDER` writes the model with the adapter in it",
    "--use-peft": "an adapter is trained unless --adapter says full: leave it out",
    "--lora": "a LoRA adapter is trained unless --adapter says otherwise: leave it out, or set its rank with --lora-r",
    "--packing-strategy": "--packing alone packs the rows of a step, by next-fit: whole rows, in their order",
    "--shuffle": f"{_ORDER}; `sage-select build` shuffles them unless --order says otherwise",
    "--data-seed": f"{_ORDER}; `sage-select build --seed` shuffles them otherwise",
    "--group-by-length": f"{_ORDER}, those of one step sorted by length; "
    "`sage-select build --order length` puts rows of a length together",
    "--train-sampling-strategy": f"{_ORDER}; `sage-select build --order` chooses it",
    "--curriculum-sampling": f"{_ORDER}; `sage-select build --order easy_to_hard` is a curriculum, and --curriculum "
    "self_paced one that is decided while training",
    "--resume-from-checkpoint": "say --resume alone: it goes on from the newest whole checkpoint",
    "--use-wandb": "say --report-to wandb; TensorBoard logs are always written, to logs/ in the output folder",
    "--deepspeed": "each process holds the whole model: hold a large one with --load-in-4bit; torchrun starts several",
    "--fsdp": "each process holds the whole model: hold a large one with --load-in-4bit; torchrun starts several",
    "--device": "a GPU is used where there is one; hide it with CUDA_VISIBLE_DEVICES= to train on the CPU",
    "--use-cpu": "hide the GPU with CUDA_VISIBLE_DEVICES= to train on the CPU",
    "--push-to-hub": "nothing is uploaded: `hf upload NAME lora_weights` sends the adapter",
    "--save-strategy": "checkpoints are written about ten times a run; set the steps between with --save-steps",
    "--eval-strategy": "held-out rows are evaluated every --eval-steps steps, where these or --eval-split are given",
    "--assistant-only-loss": "only answers are trained, always: leave it out",
    "--completion-only-loss": "only answers are trained, always: leave it out",
    "--train-on-inputs": "only answers are trained; to train on every token, read rows as --text-column",
    "--budget": "sage-train takes every row of the selection; choose how many with `sage-select build --budget`",
    "--k": "sage-train takes every row of the selection; choose how many with `sage-select build --budget`",
}


class TrainCommand(GroupedCommand):
    """A command that takes an option by what other trainers call it, and `--learning_rate` for `--learning-rate`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Translate the names of options before they are parsed; values stay as they are."""
        known = {name for one in self.get_params(ctx) for name in (*one.opts, *one.secondary_opts)}
        table = train_table()
        settings = {flag.setting: flag.spelling.partition("/")[0] for flag in table.flags}
        others = {
            theirs: settings[alias.setting] + (f"={alias.value}" if alias.value is not None else "")
            for theirs, alias in table.aliases.items()
        }
        return super().parse_args(ctx, list(_translated(args, known, others)))


def _translated(arguments: Iterable[str], known: set[str], others: Mapping[str, str]) -> Iterator[str]:
    end = False
    for argument in arguments:
        end = end or argument == "--"
        name, equals, value = argument.partition("=")
        if end or not name.startswith("-") or name in known:
            yield argument
            continue
        spelt = name.replace("_", "-")
        yield others.get(spelt, spelt if spelt in known else name) + equals + value
