"""SAGE's agent trainer over ours: it selects, trains, and measures, and adds nothing to any of these."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from sage_select import io
from sage_select.agent.config import AgentSFTConfig
from sage_select.api import select
from sage_select.errors import OutputError, UsageError
from sage_select.evaluate import compare, evaluate_tuned
from sage_select.render.model_files import load_config, load_tokenizer
from sage_select.render.truncate import context_length
from sage_select.replay import ReplayBuffer
from sage_select.train import TrainConfig, TrainResult, train
from sage_select.train.optimizers import OPTIMIZERS

__all__ = ["AgentSFTTrainer"]

#: The column of a row's task.
_TASK: Final = "task_type"


class AgentSFTTrainer:
    """Fine-tunes a model on dialogues with tools, as SAGE's class of this name does.

    Parameters
    ----------
    config
        The settings.
    notice
        Called with what the user should know, each as it arises; all are in `notices`.

    Attributes
    ----------
    train_dataset
        What is trained, once `prepare_datasets` has been called: a path, or rows.
    result
        What `train` returned.
    evaluation
        The tuned model beside its base on `dev_data`, as `sage_select.evaluate.compare` has it; None without such rows.

    Examples
    --------
    >>> trainer = AgentSFTTrainer(AgentSFTConfig(base_model="./model", train_data="rows.jsonl", lora_r=8))
    >>> trainer.config.effective_batch_size
    16
    """

    def __init__(self, config: AgentSFTConfig, *, notice: Callable[[str], None] | None = None) -> None:
        self.config = config
        self.notices: list[str] = []
        self.train_dataset: Any = None
        self.result: TrainResult | None = None
        self.evaluation: Mapping[str, Any] | None = None
        self._told = notice

    def train(self) -> TrainResult:
        """Select, train, measure and return the result; what it leaves lies in `output_dir`.

        Raises
        ------
        UsageError, DataError, OutputError, ResourceError
            As `sage_select.select`, `sage_select.train.train` and `sage_select.evaluate.evaluate_tuned`.
        """
        if self.train_dataset is None:
            self.prepare_datasets()
        settings, rows = self.settings(), None
        if self.config.dev_data is not None:
            rows = self._at_most(self.config.dev_data, self.config.max_eval_samples)
        evaluated = rows if settings.evaluates else None
        if settings.replay is not None:
            # Of this size, where there is none.
            settings.replay.parent.mkdir(parents=True, exist_ok=True)
            ReplayBuffer.open(settings.replay, self.config.continual_buffer_size)
        self.result = train(self.train_dataset, settings, eval_data=evaluated, notice=self._notice)
        if rows is not None:
            self.evaluation = compare(
                *evaluate_tuned(settings.model, self.result.weights, rows, config=settings, notice=self._notice)
            )
        return self.result

    def prepare_datasets(self) -> None:
        """Select the rows to train on, and put them in order."""
        config = self.config
        options: dict[str, Any] = {"seed": config.seed, "dedup": "none"}
        if config.task_weights is not None:
            options["mix"] = f"{_TASK}=" + ",".join(f"{task}:{share}" for task, share in config.task_weights.items())
        if config.use_coreset_selection:
            options |= {"strategy": config.coreset_strategy, "budget": config.coreset_target_size, "clamp": True}
            if config.coreset_strategy in ("loss_topk", "hybrid"):
                options["scores"] = config.coreset_metric_key
        elif config.max_train_samples is not None:
            options |= {"strategy": "random", "budget": config.max_train_samples, "clamp": True}
        if len(options) == 2 and (not config.shuffle_train or _is_planned(config.train_data)):
            self.train_dataset = config.train_data
            return
        if not config.shuffle_train:
            raise UsageError(
                "rows that are selected have no order of their own",
                got="shuffle_train False",
                hint="leave it out, or put them in order with `sage-select build --order` and train on its output",
            )
        chosen = select(config.train_data, **{"strategy": "random", "budget": "100%", **options})
        for text in chosen.notices:
            self._notice(text)
        self.train_dataset = chosen

    def save_model(self, folder: str | Path | None = None) -> Path:
        """Return the folder of the adapter and the tokenizer; `folder` receives a copy of it.

        Raises
        ------
        UsageError
            Nothing has been trained.
        OutputError
            The folder is there already.
        """
        if self.result is None:
            raise UsageError("there is nothing to save", hint="call train() first")
        if folder is None:
            return self.result.weights
        if Path(folder).exists():
            raise OutputError("the folder is there already", where=str(folder), hint="name one that is not there")
        shutil.copytree(self.result.weights, folder)
        return Path(folder)

    def settings(self) -> TrainConfig:
        """Return the settings of the training run that these come to."""
        import torch

        config, has_gpu = self.config, torch.cuda.is_available()
        bits = {"load_in_4bit": config.load_in_4bit, "load_in_8bit": config.load_in_8bit and not config.load_in_4bit}
        precision = "bf16" if config.bf16 else "fp16" if config.fp16 else "fp32"
        if precision == "fp16" and not has_gpu:
            precision = "fp32"
            self._notice("there is no GPU: computed in float32, not float16")
        names = {one.library_name: name for name, one in OPTIMIZERS.items()} | {"adamw_torch": "adamw"}
        optimizer = names.get(config.optim, config.optim)
        if optimizer.startswith("paged_") and not has_gpu:
            optimizer = optimizer.removeprefix("paged_")
            self._notice(f"there is no GPU: the optimizer is {optimizer}, not a paged one")
        evaluation: dict[str, Any] = {}
        if config.dev_data is not None and config.eval_strategy == "steps":
            evaluation["eval_steps"] = config.eval_steps
            evaluation["final_weights"] = "best" if config.load_best_model else "last"
        replay: dict[str, Any] = {}
        if config.use_online_continual:
            replay = {"replay": config.replay_dir, "replay_ratio": config.continual_replay_ratio}
        return TrainConfig(
            model=config.base_model,
            output_dir=config.output_dir,
            max_length=self._length(),
            precision=precision,
            **{name: on for name, on in bits.items() if on},
            gradient_checkpointing=config.gradient_checkpointing,
            optimizer=optimizer,
            adapter="dora" if config.use_dora else "lora",
            lora_r=config.lora_r,
            lora_alpha=config.lora_alpha,
            lora_dropout=config.lora_dropout,
            lora_target=tuple(config.lora_target_modules),
            loraplus_ratio=config.lora_plus_lr_ratio if config.use_lora_plus else None,
            epochs=config.num_epochs,
            batch_size=config.batch_size,
            gradient_accumulation=config.gradient_accumulation,
            learning_rate=config.learning_rate,
            warmup=config.warmup_ratio,
            lr_schedule=config.lr_scheduler,
            logging_steps=config.logging_steps,
            save_steps=config.save_steps,
            keep_checkpoints=config.save_total_limit,
            **evaluation,
            **replay,
            dataloader_workers=config.dataloader_num_workers,
            seed=config.seed,
        )

    def _length(self) -> int:
        model = self.config.base_model
        context = context_length(load_config(model), load_tokenizer(model))
        if context is None or context >= self.config.max_length:
            return self.config.max_length
        self._notice(f"rows have at most {context:,} tokens, the context of the model, not {self.config.max_length:,}")
        return context

    def _at_most(self, rows: Any, most: int | None) -> Any:
        return rows if most is None else select(rows, strategy="random", budget=most, clamp=True, dedup="none")

    def _notice(self, text: str) -> None:
        self.notices.append(text)
        if self._told is not None:
            self._told(text)


def _is_planned(rows: Any) -> bool:
    """Say whether rows are a selection already, whose order is its own."""
    return isinstance(rows, str | Path) and Path(rows).is_file() and io.read_manifest(Path(rows)) is not None
