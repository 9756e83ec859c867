"""One training run from tokenised rows to an adapter, on TRL's trainer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import torch
from transformers import PreTrainedTokenizerBase, PrinterCallback, ProgressCallback
from trl import SFTConfig

from sage_select.errors import DataError
from sage_select.train.adapter import cast_adapter_to_float32
from sage_select.train.callbacks import StepEnd, StepLog, StoppedBetweenSteps
from sage_select.train.checkpoints import Checkpoint, read_seal
from sage_select.train.collate import StepCollator
from sage_select.train.config import TrainConfig
from sage_select.train.data import TrainingRows
from sage_select.train.evaluating import Evaluating
from sage_select.train.evaluations import Evaluations
from sage_select.train.fingerprint import fingerprint
from sage_select.train.health import Health
from sage_select.train.held_out import HeldOutLoss
from sage_select.train.interrupt import graceful_stop
from sage_select.train.ledger import Ledger
from sage_select.train.measuring import LossesOfExamples
from sage_select.train.methods import Material
from sage_select.train.optimizers import OPTIMIZERS
from sage_select.train.plan import Plan
from sage_select.train.processes import ALONE, Processes
from sage_select.train.prolong import warmup_steps
from sage_select.train.reporters import callbacks_of
from sage_select.train.run_folder import RunFolder
from sage_select.train.schedule import Schedule
from sage_select.train.settings.model import Precision
from sage_select.train.trainer import OrderedTrainer

__all__ = ["Trained", "can_recompute", "run_loop"]

#: No more work than this is lost where nothing is said of checkpoints.
SAVE_SECONDS = 600.0


@dataclass(frozen=True)
class Trained:
    """What a run has come to.

    Attributes
    ----------
    model
        With the weights that are to be left.
    steps
        Those taken.
    weights_of
        The step that these weights are of.
    evaluations
        Those made; None where nothing is held out.
    stopped_early
        Whether fewer steps were taken than planned.
    """

    model: Any
    steps: int
    weights_of: int
    evaluations: Evaluations | None
    stopped_early: bool

    @property
    def held_out(self) -> dict[str, Any] | None:
        """What the evaluations came to, as plain values."""
        if self.evaluations is None or (ends := self.evaluations.summary()) is None:
            return None
        return {**ends, "weights_of": self.weights_of, "stopped_early": self.stopped_early}


def run_loop(
    *,
    model: Any,
    material: Material,
    held_out: TrainingRows | None = None,
    plan: Plan,
    identity: Mapping[str, Any],
    folder: RunFolder,
    begin: Callable[[], None],
    checkpoint: Checkpoint | None,
    progress: Callable[[int, int, str], None],
    processes: Processes = ALONE,
) -> Trained:
    """Train what can be trained of `model`.

    Nothing in the folder changes before the first step has been taken.

    Parameters
    ----------
    model
        A PEFT model with a new adapter, its base perhaps quantised.
    material
        The settings, the tokenised rows in training order, and what they were tokenised by.
    plan
        The rows that each step consumes, and how they lie in its forward passes.
    held_out
        Rows to evaluate meanwhile, tokenised.
    identity
        What the run is known by, for the seal of its checkpoints.
    begin
        Makes the folder this run's: called when its first step has been taken.
    checkpoint
        A whole one to go on from, or None.
    processes
        Those that share the forward passes of each step; the first of them writes.

    Raises
    ------
    DataError
        If a loss or the adapter stops being a number; the checkpoints before it stay. If the best weights are to be
        left, and their checkpoint is not there.
    KeyboardInterrupt
        On Ctrl-C, after the checkpoint of the last finished step; where it is to replace another run and has taken no
        step, it leaves that one as it is.
    """
    config, rows, precision = material.config, material.rows, material.precision
    tokenizer, pad_token_id = material.renderer.tokenizer, pad_token(material.renderer.tokenizer)
    # How many steps there are, and of how many rows each, is known whatever they are.
    schedule = plan.outline
    collate = StepCollator(rows.table, plan.schedule, plan.layout, pad_token_id)
    after = checkpoint.step if checkpoint else 0
    with (
        closing(Ledger(folder.ledger, rows.row_ids, after=after, written=processes.is_first)) as ledger,
        # What a crashed run logged after its checkpoint is hidden.
        closing(StepLog(folder.logs, purge_step=after + 1 if after else None)) as log,
        closing(plan),
        ExitStack() as files,
        graceful_stop() as stop,
        suppress(StoppedBetweenSteps),  # the signal is delivered again by `graceful_stop`
    ):
        evaluations = None
        if held_out is not None:
            every = config.eval_interval(schedule.steps)
            evaluations = Evaluations(
                folder.evaluations, steps=schedule.steps, every=every, after=after, written=processes.is_first
            )
            files.enter_context(closing(evaluations))

        def first_step() -> None:
            begin()
            ledger.open()
            plan.open()
            if evaluations is not None:
                evaluations.open()

        def due(step: int) -> dict[str, Any]:
            plan.reach(step, lambda places: measured(trainer.model, places))
            collate.follow(plan.schedule, plan.layout)
            return collate([{"step": step}])

        def leave() -> None:
            if processes.any(stop.signal is not None):
                raise KeyboardInterrupt if stop.signal is None else StoppedBetweenSteps

        def show(done: int, examples: int) -> None:
            note = f"measuring what is left: {done:,} of {examples:,} rows"
            progress(trainer.state.global_step, schedule.steps, note)

        health = Health(
            vocabulary=model.get_base_model().get_input_embeddings().weight.shape[0], scaled=precision == "fp16"
        )
        trainer = OrderedTrainer(
            ledger=ledger,
            b_ratio=config.loraplus_ratio,
            objective=partial(config.method.objective, material=material),
            processes=processes,
            row=rows.table["input_ids"][0].as_py(),
            model=model,
            args=training_arguments(
                config, precision, schedule, folder.checkpoints, recompute=can_recompute(model, config)
            ),
            train_dataset=steps_of(schedule, fingerprint(identity)),
            processing_class=tokenizer,
            data_collator=only_number if plan.meanwhile else collate,
            due=due if plan.meanwhile else None,
            callbacks=[log, health, *callbacks_of(config.report_to if processes.is_first else ())],
        )
        measured = LossesOfExamples(
            rows, config.batch_size, pad_token_id, trainer.row_losses, leave, show, processes=processes
        )
        evaluating = None
        if held_out is not None and evaluations is not None:
            loss = HeldOutLoss(held_out, config.batch_size, pad_token_id)
            keeps_best = config.final_weights == "best"
            evaluating = Evaluating(loss, evaluations, trainer, config.early_stopping, keeps_best)
        trainer.add_callback(
            StepEnd(
                ledger=ledger,
                health=health,
                progress=progress,
                stop=stop,
                plan=plan,
                identity=identity,
                keep=config.keep_checkpoints,
                evaluating=evaluating,
                first_step=first_step,
                stepped=folder.replaced.discard if processes.is_first else lambda: None,
                processes=processes,
                replaces=checkpoint is None and folder.holds_a_run(),
                save_seconds=SAVE_SECONDS if config.save_steps is None else None,
            )
        )
        for talkative in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(talkative)
        cast_adapter_to_float32(trainer.model)
        over = checkpoint is not None and (checkpoint.step >= schedule.steps or (evaluating and evaluating.over))
        if checkpoint is not None and over:
            first_step()
            # The trainer would take one step more.
            health.remember(trainer.model)
            trainer._load_from_checkpoint(str(checkpoint.folder))
            health.check_changed(trainer.model, checkpoint.step)
            taken = checkpoint.step
        else:
            trainer.train(resume_from_checkpoint=str(checkpoint.folder) if checkpoint else None)
            taken = trainer.state.global_step
        best = taken if evaluating is None or evaluating.kept is None else evaluating.kept
        if best != taken:
            trainer._load_from_checkpoint(str(_whole(folder.checkpoints / f"checkpoint-{best}")))
    return Trained(trainer.model, taken, best, evaluations, taken < schedule.steps)


def _whole(checkpoint: Path) -> Path:
    """Return the folder of a checkpoint, which must be whole."""
    if read_seal(checkpoint) is None:
        raise DataError(
            "the checkpoint of the best weights is not there, or damaged",
            where=str(checkpoint),
            hint="take those of the last step with --resume --final-weights last --allow-change final_weights, or "
            "train anew with --force",
        )
    return checkpoint


def can_recompute(model: Any, config: TrainConfig) -> bool:
    """Say whether activations are computed again in the backward pass: asked for, and known to the model's class."""
    return config.gradient_checkpointing and bool(model.get_base_model().supports_gradient_checkpointing)


def only_number(steps: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the one step that is to be taken, by its number."""
    (step,) = steps
    return step


def steps_of(schedule: Schedule, name: str) -> datasets.Dataset:
    """Return the numbers of all steps as the data set of the library, which is to consume them in this order."""
    return datasets.Dataset(pa.table({"step": pa.array(range(schedule.steps), pa.int64())}), fingerprint=name)


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
        ddp_find_unused_parameters=False,
        seed=config.seed,
        data_seed=config.seed,
        save_strategy="steps",
        save_steps=schedule.save_interval(config),
        logging_strategy="steps",
        logging_steps=config.logging_steps,
        # A NaN step would be logged as loss 0.
        logging_nan_inf_filter=False,
        # Those that are asked for are callbacks of their own.
        report_to="none",
        run_name=config.output_dir.name,
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
