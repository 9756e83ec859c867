"""The adapter: LoRA settings for PEFT, the health of its weights, writing and reading it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from transformers import set_seed

from sage_select.errors import DataError, UsageError
from sage_select.train.config import TrainConfig
from sage_select.train.own_loss import check_trainable
from sage_select.train.run_folder import ADAPTER_FILES
from sage_select.train.targets import find_targets

__all__ = ["add_adapter", "cast_adapter_to_float32", "is_finite", "load_adapter", "save_adapter"]


def add_adapter(model: Any, config: TrainConfig, row: Sequence[int]) -> tuple[PeftModel, list[str]]:
    """Return `model` with a new adapter, tried with a row, and what the user should know of it; `model` is changed.

    Parameters
    ----------
    model
        A causal language model of transformers.
    row
        Token ids of a row that will be trained.

    Raises
    ------
    UsageError
        Settings name layers that cannot be adapted, or the model cannot be trained.
    """
    targets = find_targets(model, config.lora_target)
    notices = list(targets.notices)
    dropout = config.lora_dropout
    if targets.parameters and dropout:
        dropout = 0.0
        notices.append("the adapter has no dropout: the stacked weights of experts cannot have it")
    # The first weights of the adapter are random.
    set_seed(config.seed)
    adapter = LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=dropout,
        target_modules=list(targets.modules),
        target_parameters=list(targets.parameters) or None,
        task_type="CAUSAL_LM",
    )
    adapted: PeftModel = get_peft_model(model, adapter)
    # PEFT writes sets in the order of their hashes, which differs from process to process, also into checkpoints.
    for key in ("target_modules", "target_parameters"):
        if isinstance(getattr(adapter, key), set):
            setattr(adapter, key, sorted(getattr(adapter, key)))
    check_trainable(adapted, row)
    return adapted, notices


def cast_adapter_to_float32(model: torch.nn.Module) -> None:
    """Hold all trained weights in float32.

    TRL casts the adapter of a quantised model to bfloat16, in which small updates are lost and a resumed run
    differs from an uninterrupted one.
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def is_finite(model: torch.nn.Module) -> bool:
    """Say whether all trained weights are finite numbers."""
    sums = [parameter.detach().abs().sum() for parameter in model.parameters() if parameter.requires_grad]
    return bool(torch.isfinite(torch.stack(sums)).all())


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write the adapter into `folder`, the same bytes for the same weights."""
    # "auto" would ask a model hub whether the vocabulary has grown; ours never does.
    model.save_pretrained(str(folder), save_embedding_layers=False)
    # A form to fill in, which says nothing of this adapter.
    (folder / "README.md").unlink(missing_ok=True)
    settings = folder / "adapter_config.json"
    content = json.loads(settings.read_text(encoding="utf-8"))
    settings.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def load_adapter(model: torch.nn.Module, folder: Path) -> PeftModel:
    """Return `model` with the adapter in `folder`; `model` itself is changed.

    Raises
    ------
    UsageError
        If there is no adapter.
    DataError
        If it is damaged or was trained on another model.
    """
    # Without the safetensors the library would load a pickle.
    missing = [name for name in ADAPTER_FILES if not (folder / name).is_file()]
    if missing:
        raise UsageError(
            "the folder holds no adapter", where=str(folder), expected=f"{' and '.join(missing)}, as in lora_weights/"
        )
    try:
        return PeftModel.from_pretrained(model, str(folder))
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, SafetensorError) as error:
        said = str(error).strip().partition("\n")[0]
        raise DataError(
            "the adapter cannot be loaded", where=str(folder), got=said, hint="it may be damaged, or of another model"
        ) from None
