"""One training run from tokenised rows to an adapter, on TRL's trainer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import torch
from transformers import PreTrainedTokenizerBase, PrinterCallback, ProgressCallback
from trl import SFTConfig

from sage_select.train.adapter import cast_adapter_to_float32
from sage_select.train.callbacks import StepEnd, StepLog, StoppedAtFirstStep
from sage_select.train.checkpoints import Checkpoint
from sage_select.train.collate import StepCollator
from sage_select.train.config import TrainConfig
from sage_select.train.health import Health
from sage_select.train.interrupt import graceful_stop
from sage_select.train.ledger import Ledger
from sage_select.train.methods import Material
from sage_select.train.optimizers import OPTIMIZERS
from sage_select.train.packing import Layout
from sage_select.train.prolong import warmup_steps
from sage_select.train.run_folder import RunFolder
from sage_select.train.schedule import Schedule
from sage_select.train.settings.model import Precision
from sage_select.train.trainer import OrderedTrainer

__all__ = ["can_recompute", "run_loop"]

#: No more work than this is lost where nothing is said of checkpoints.
SAVE_SECONDS = 600.0


def run_loop(
    *,
    model: Any,
    material: Material,
    schedule: Schedule,
    layout: Layout,
    fingerprint: str,
    folder: RunFolder,
    begin: Callable[[], None],
    checkpoint: Checkpoint | None,
    progress: Callable[[int, int, str], None],
) -> Any:
    """Train what can be trained of `model` and return the model.

    Nothing in the folder changes before the first step has been taken.

    Parameters
    ----------
    model
        A PEFT model with a new adapter, its base perhaps quantised.
    material
        The settings, the tokenised rows in training order, and what they were tokenised by.
    schedule, layout
        The rows that each step consumes, and how they lie in its forward passes.
    fingerprint
        The run, for the seal of its checkpoints.
    begin
        Makes the folder this run's: called when its first step has been taken.
    checkpoint
        A whole one to go on from, or None.

    Raises
    ------
    DataError
        If a loss or the adapter stops being a number; the checkpoints before it stay.
    KeyboardInterrupt
        On Ctrl-C, after the checkpoint of the last finished step; where it is to replace another run and has taken no
        step, it leaves that one as it is.
    """
    config, rows, precision = material.config, material.rows, material.precision
    tokenizer = material.renderer.tokenizer
    after = checkpoint.step if checkpoint else 0
    with (
        closing(Ledger(folder.ledger, rows.row_ids, after=after)) as ledger,
        # What a crashed run logged after its checkpoint is hidden.
        closing(StepLog(folder.logs, purge_step=after + 1 if after else None)) as log,
        graceful_stop() as stop,
        suppress(StoppedAtFirstStep),  # the signal is delivered again by `graceful_stop`
    ):

        def first_step() -> None:
            begin()
            ledger.open()

        health = Health(
            vocabulary=model.get_base_model().get_input_embeddings().weight.shape[0], scaled=precision == "fp16"
        )
        trainer = OrderedTrainer(
            ledger=ledger,
            b_ratio=config.loraplus_ratio,
            objective=partial(config.method.objective, material=material),
            model=model,
            args=training_arguments(
                config, precision, schedule, folder.checkpoints, recompute=can_recompute(model, config)
            ),
            train_dataset=steps_of(schedule, fingerprint),
            processing_class=tokenizer,
            data_collator=StepCollator(rows.table, schedule, layout, pad_token(tokenizer)),
            callbacks=[
                log,
                health,
                StepEnd(
                    ledger=ledger,
                    health=health,
                    progress=progress,
                    stop=stop,
                    passes=schedule.passes,
                    fingerprint=fingerprint,
                    keep=config.keep_checkpoints,
                    first_step=first_step,
                    stepped=folder.replaced.discard,
                    replaces=checkpoint is None and folder.holds_a_run(),
                    save_seconds=SAVE_SECONDS if config.save_steps is None else None,
                ),
            ],
        )
        for talkative in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(talkative)
        cast_adapter_to_float32(trainer.model)
        if checkpoint is not None and checkpoint.step >= schedule.steps:
            first_step()
            # The trainer would take one step more.
            trainer._load_from_checkpoint(str(checkpoint.folder))
        else:
            trainer.train(resume_from_checkpoint=str(checkpoint.folder) if checkpoint else None)
    return trainer.model


def can_recompute(model: Any, config: TrainConfig) -> bool:
    """Say whether activations are computed again in the backward pass: asked for, and known to the model's class."""
    return config.gradient_checkpointing and bool(model.get_base_model().supports_gradient_checkpointing)


def steps_of(schedule: Schedule, fingerprint: str) -> datasets.Dataset:
    """Return the numbers of all steps as the data set of the library, which is to consume them in this order."""
    return datasets.Dataset(pa.table({"step": pa.array(range(schedule.steps), pa.int64())}), fingerprint=fingerprint)


def training_arguments(
    config: TrainConfig, precision: Precision, schedule: Schedule, checkpoints: Path, *, recompute: bool
) -> SFTConfig:
    """Translate our settings into those of TRL and transformers."""
    arguments = SFTConfig(
        output_dir=str(checkpoints),
        # Order and content are ours: nothing is shuffled, packed, cut or dropped.
        train_sampling_strategy="sequential",
        shuffle_dataset=False,
        packing=False,
        max_length=None,
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        dataloader_drop_last=False,
        dataloader_num_workers=config.dataloader_workers,
        # One step is one item: its forward passes are ours.
        per_device_train_batch_size=1,
        gradient_accumulation_steps=1,
        max_steps=schedule.steps,
        learning_rate=config.learning_rate,
        warmup_steps=warmup_steps(config, schedule.steps),
        # The library's "constant" ignores the warmup.
        lr_scheduler_type="constant_with_warmup" if config.lr_schedule == "constant" else config.lr_schedule,
        lr_scheduler_kwargs=scheduler_options(config, schedule),
        weight_decay=config.weight_decay,
        optim=OPTIMIZERS[config.optimizer].library_name,
        neftune_noise_alpha=config.neftune_alpha,
        max_grad_norm=config.max_grad_norm,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=not torch.cuda.is_available(),
        activation_checkpointing=recompute,
        torch_compile=config.torch_compile,
        seed=config.seed,
        data_seed=config.seed,
        save_strategy="steps",
        save_steps=schedule.save_interval(config),
        logging_strategy="steps",
        logging_steps=config.logging_steps,
        # A NaN step would be logged as loss 0.
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
    )
    # Several GPUs that are only visible would be taken for data parallelism, which changes the order of rows.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def scheduler_options(config: TrainConfig, schedule: Schedule) -> dict[str, Any]:
    """Return what the schedule of the rate is told besides its warmup."""
    options: dict[str, dict[str, Any]] = {
        "cosine_with_min_lr": {"min_lr_rate": config.min_lr_share},
        "warmup_stable_decay": {"num_decay_steps": max(1, int(config.decay * schedule.steps))},
    }
    return options.get(config.lr_schedule, {})


def pad_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return a token to pad with; padding is told apart by length, so any will do."""
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0
