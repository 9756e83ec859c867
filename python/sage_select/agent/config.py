"""The settings of the SAGE agent trainer, with its names and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal

from sage_select.errors import UsageError

__all__ = ["AgentSFTConfig"]

#: Fields that say how rows are padded or written, which is decided elsewhere here -> by what.
_DECIDED: Final[Mapping[str, str]] = {
    "padding_strategy": "rows are padded to the longest of a forward pass",
    "padding_side": "rows are padded on the right, and what is padded is never seen",
    "output_format": "conversations are written by the model's own chat template",
    "shuffle_eval": "the order of held-out rows changes no figure",
    "metric_for_best_model": "the best weights are those with the lowest loss on dev_data",
    "greater_is_better": "the best weights are those with the lowest loss on dev_data",
}


@dataclass
class AgentSFTConfig:
    """What `AgentSFTTrainer` is told.

    Names and defaults are those of SAGE's class of this name but where they named what was its own: `train_data` is a
    file or rows, not a source of SAGE's, and nothing is held out unless `dev_data` is given.

    Parameters
    ----------
    base_model
        Folder or repository of the base model.
    train_data, dev_data
        Rows to train on, and rows on which the tuned model is measured beside its base: a path, or rows in memory. A
        file written by `sage-select build` is trained in its order.
    task_weights
        Value of the column `task_type` -> its share of the rows; None: the rows as they are.
    max_length
        Longest row in tokens; where the model's context is shorter, that.
    load_in_8bit, load_in_4bit, fp16, bf16, gradient_checkpointing, optim
        How the model is held and trained. `load_in_4bit` wins over `load_in_8bit`; without a GPU fp16 is float32 and a
        paged optimizer one that is not, which is told.
    padding_strategy, padding_side, output_format, shuffle_eval
        Decided elsewhere here: another value than the default is refused, and says by what.
    shuffle_train
        Whether rows are trained in a shuffle by `seed`; otherwise in their own order.
    max_train_samples, max_eval_samples
        The most rows, drawn at random; None: all.
    use_coreset_selection, coreset_target_size, coreset_strategy, coreset_metric_key
        Whether so many rows are selected, by which strategy (`loss_topk`, `diversity`, `hybrid`, `random`), on the
        scores of which column.
    use_online_continual, continual_buffer_size, continual_replay_ratio
        Whether a replay buffer (`replay_dir`, of so many rows) takes the rows of each run when it is finished, and so
        many of its rows are trained for each new one. It is a reservoir: every row ever seen is as likely to be there.
    lora_r, lora_alpha, lora_dropout, lora_target_modules, use_dora, use_lora_plus, lora_plus_lr_ratio
        The adapter.
    num_epochs, batch_size, gradient_accumulation, learning_rate, warmup_ratio, lr_scheduler
        How it is trained.
    output_dir, logging_steps, save_steps, save_total_limit, dataloader_num_workers, seed
        Where it goes, and how often.
    eval_strategy, eval_steps, load_best_model, metric_for_best_model, greater_is_better
        Whether `dev_data` is evaluated during training (`steps` or `no`), every how many steps, and whether the weights
        with the lowest loss on it are those that are left. The metric is that loss.
    report_to
        `none` or `tensorboard`: logs for it are written in any case.

    Raises
    ------
    UsageError
        For a field that is decided elsewhere here.
    """

    base_model: str = "Qwen/Qwen2.5-7B-Instruct"
    train_data: Any = "out.arrow"
    dev_data: Any = None
    task_weights: Mapping[str, float] | None = None
    max_length: int = 4096
    load_in_8bit: bool = True
    load_in_4bit: bool = False
    fp16: bool = True
    bf16: bool = False
    gradient_checkpointing: bool = True
    optim: str = "paged_adamw_8bit"
    padding_strategy: str = "max_length"
    padding_side: str = "right"
    output_format: str = "chatml"
    shuffle_train: bool = True
    shuffle_eval: bool = False
    max_train_samples: int | None = None
    max_eval_samples: int | None = 512
    use_coreset_selection: bool = False
    coreset_target_size: int | None = None
    coreset_strategy: str = "loss_topk"
    coreset_metric_key: str = "loss"
    use_online_continual: bool = False
    continual_buffer_size: int = 2048
    continual_replay_ratio: float = 0.25
    lora_r: int = 64
    lora_alpha: int = 128
    lora_dropout: float = 0.05
    lora_target_modules: list[str] = field(
        default_factory=lambda: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    )
    use_dora: bool = False
    use_lora_plus: bool = False
    lora_plus_lr_ratio: float = 16.0
    num_epochs: float = 3
    batch_size: int = 1
    gradient_accumulation: int = 16
    learning_rate: float = 2e-5
    warmup_ratio: float = 0.1
    lr_scheduler: str = "cosine"
    output_dir: Path = field(default_factory=lambda: Path.home() / ".sage" / "agent_training")
    logging_steps: int = 10
    save_steps: int = 500
    save_total_limit: int = 3
    eval_strategy: Literal["no", "steps"] = "steps"
    eval_steps: int = 200
    load_best_model: bool = True
    metric_for_best_model: str = "eval_loss"
    greater_is_better: bool = False
    report_to: str = "none"
    dataloader_num_workers: int = 0
    seed: int = 42

    def __post_init__(self) -> None:
        self.output_dir = Path(self.output_dir)
        defaults = {one.name: one.default for one in fields(self)}
        for name, why in _DECIDED.items():
            if getattr(self, name) != defaults[name]:
                raise UsageError(f"{name} has no meaning here: {why}", hint=f"leave out {name}")
        if self.eval_strategy not in ("no", "steps"):
            raise UsageError(
                "rows are evaluated by steps", expected="eval_strategy 'steps' or 'no'", got=repr(self.eval_strategy)
            )
        if self.report_to not in ("none", "tensorboard"):
            raise UsageError(
                "logs are written for TensorBoard", expected="report_to 'none' or 'tensorboard'", got=self.report_to
            )
        if self.use_coreset_selection and self.coreset_target_size is None:
            raise UsageError("a coreset has a size", expected="coreset_target_size", got="use_coreset_selection alone")

    @property
    def checkpoint_dir(self) -> Path:
        """Where checkpoints lie."""
        return self.output_dir / "checkpoints"

    @property
    def log_dir(self) -> Path:
        """Where logs lie."""
        return self.output_dir / "logs"

    @property
    def lora_dir(self) -> Path:
        """Where the adapter and the tokenizer lie."""
        return self.output_dir / "lora_weights"

    @property
    def replay_dir(self) -> Path:
        """Where the replay buffer lies: beside `output_dir`, so that runs beside each other share it."""
        return self.output_dir.parent / "replay"

    @property
    def effective_batch_size(self) -> int:
        """Rows of a step."""
        return self.batch_size * self.gradient_accumulation
