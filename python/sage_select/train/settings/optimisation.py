"""How long, how fast and in what portions is learned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import model_validator

from sage_select.declare import Settings
from sage_select.train.optimizers import OPTIMIZERS
from sage_select.train.settings.declared import Setting, Whole

__all__ = ["OptimisationSettings"]


class OptimisationSettings(Settings):
    """Optimisation."""

    epochs: Annotated[
        float, Setting("passes over the rows", gt=0, trl=("num_train_epochs",), others=("num_epochs",))
    ] = 3.0
    max_steps: Annotated[Whole | None, Setting("optimizer steps; wins over --epochs", ge=1)] = None
    batch_size: Annotated[
        Whole,
        Setting("rows in one forward pass", ge=1, trl=("per_device_train_batch_size",), others=("micro_batch_size",)),
    ] = 4
    gradient_accumulation: Annotated[
        Whole,
        Setting(
            "forward passes in one step; batch size x this many rows make a step: raise it and lower the batch size "
            "where memory is short",
            ge=1,
            trl=("gradient_accumulation_steps",),
        ),
    ] = 4
    schedule_file: Annotated[
        Path | None,
        Setting(
            "the rows that each step consumes, as the schedule.arrow of a run has them (row_id; step, slot, example, "
            "weight, phase, origin, parent_id and task where given), instead of --epochs and --max-steps",
            metavar="FILE",
            # Known by its rows.
            identity=False,
        ),
    ] = None
    packing: Annotated[
        bool,
        Setting(
            "put several rows of a step into one sequence, no longer than the longest of them, each seeing only "
            "itself: the same steps, with less padding; refused for models that would mix them",
            flag="--packing",
            default="rows of a step are sorted by length",
            others=("sample_packing", "neat_packing"),
        ),
    ] = False
    packing_lookback: Annotated[
        Whole,
        Setting("how many of the last sequences a row may go into", ge=1, when={"packing": "True"}),
    ] = 8
    learning_rate: Annotated[
        float,
        Setting(
            "peak rate; adapters take about ten times that of full tuning",
            gt=0,
            default="2e-4, and 2e-5 where the model itself is trained",
            others=("lr",),
        ),
    ] = 2e-4
    lr_schedule: Annotated[
        Literal["cosine", "linear", "constant", "inverse_sqrt", "cosine_with_min_lr", "warmup_stable_decay"],
        Setting(
            "how the rate falls after the warmup: to 0 by a cosine or a line, not at all, by the square root of the "
            "steps, by a cosine to --min-lr-share, or in the last --decay steps",
            trl=("lr_scheduler_type",),
            others=("lr_scheduler", "schedule"),
        ),
    ] = "cosine"
    min_lr_share: Annotated[
        float,
        Setting(
            "what cosine_with_min_lr falls to, of the peak rate", ge=0, le=1, when={"lr_schedule": "cosine_with_min_lr"}
        ),
    ] = 0.1
    decay: Annotated[
        float,
        Setting(
            "the share of the steps in which warmup_stable_decay falls",
            gt=0,
            le=1,
            when={"lr_schedule": "warmup_stable_decay"},
        ),
    ] = 0.1
    warmup: Annotated[
        float,
        Setting(
            "in which the rate rises: below 1 a share of the steps, from 1 on a number of steps",
            ge=0,
            trl=("warmup_steps",),
            others=("warmup_ratio",),
        ),
    ] = 0.03
    optimizer: Annotated[
        str,
        Setting(
            "what moves the weights; paged ones need a GPU",
            metavar=f"[{'|'.join(OPTIMIZERS)}]",
            trl=("optim",),
            others=("optimiser",),
        ),
    ] = "adamw"
    loraplus_ratio: Annotated[
        float | None,
        Setting(
            "rate of the adapter's B matrices in rates of the A matrices (LoRA+), such as 16",
            ge=1,
            default="1",
            others=("loraplus_lr_ratio", "lorap_lr_ratio", "loraplus"),
        ),
    ] = None
    neftune_alpha: Annotated[
        float | None,
        Setting(
            "scale of noise on the embeddings in training (NEFTune), such as 5",
            gt=0,
            default="none",
            trl=("neftune_noise_alpha",),
            others=("neftune",),
        ),
    ] = None
    weight_decay: Annotated[float, Setting("weight decay of the optimizer", ge=0)] = 0.0
    max_grad_norm: Annotated[float, Setting("gradients are clipped to this norm; 0 turns it off", ge=0)] = 1.0
    gradient_checkpointing: Annotated[
        bool,
        Setting(
            "compute activations twice: less memory, a third more time",
            flag="--gradient-checkpointing/--no-gradient-checkpointing",
            trl=("activation_checkpointing",),
        ),
    ] = True
    seed: Annotated[
        Whole,
        Setting(
            "of the adapter's first weights, of dropout and of the order within rounds of --curriculum; never of the "
            "selection's order",
            ge=0,
            lt=2**32,
        ),
    ] = 0

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        fields = type(self).model_fields
        # As it is by default it may be said: saved settings say all.
        if self.packing_lookback != fields["packing_lookback"].default and not self.packing:
            raise ValueError("packing_lookback is for packing: pack with packing, or leave it out")
        said = [name for name in ("epochs", "max_steps") if getattr(self, name) != fields[name].default]
        if self.schedule_file is not None and said:
            raise ValueError(
                f"schedule_file says how many steps there are, so {' and '.join(said)} would do nothing: leave out one"
            )
        return self

    @model_validator(mode="after")
    def _whole_warmup(self) -> Self:
        if self.warmup >= 1 and self.warmup != int(self.warmup):
            raise ValueError(
                f"warmup: one of 1 or more is a number of steps: expected a whole number, got {self.warmup:g}"
            )
        return self
