"""The adapter: LoRA settings for PEFT, the health of its weights, writing and reading it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from safetensors import SafetensorError
from transformers.pytorch_utils import Conv1D

from sage_select.errors import DataError, UsageError, nearest
from sage_select.train.config import TrainConfig
from sage_select.train.run_folder import ADAPTER_FILES

__all__ = ["cast_adapter_to_float32", "check_targets", "is_finite", "load_adapter", "lora_config", "save_adapter"]


def lora_config(config: TrainConfig) -> LoraConfig:
    """Return PEFT's settings: an adapter on every linear layer but the output head, unless modules are named."""
    targets = list(config.lora_target)
    return LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules="all-linear" if targets == ["all-linear"] else targets,
        task_type="CAUSAL_LM",
    )


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
    # PEFT writes sets in the order of their hashes, which differs from process to process.
    content = json.loads(settings.read_text(encoding="utf-8"))
    for key in ("target_modules", "exclude_modules", "modules_to_save"):
        if isinstance(content.get(key), list):
            content[key] = sorted(content[key])
    settings.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def check_targets(model: Any, config: TrainConfig) -> None:
    """Refuse adapter targets that are no linear layers of the model; its output layer is none that can be adapted.

    Raises
    ------
    UsageError
        Naming the missing layers and those that exist.
    """
    head = model.get_output_embeddings()
    linear = {
        name.rsplit(".", 1)[-1]
        for name, part in model.named_modules()
        if isinstance(part, torch.nn.Linear | Conv1D) and part is not head
    }
    missing = [target for target in config.lora_target if target not in {"all-linear", *linear}]
    if missing:
        raise UsageError(
            "the model has no such linear layers",
            got=", ".join(missing),
            expected=f"all-linear, or some of {', '.join(sorted(linear))}",
            hint=nearest(missing[0], linear),
        )


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
