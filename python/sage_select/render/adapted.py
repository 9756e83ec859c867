"""A model with an adapter that lies in a folder."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError

from sage_select.errors import DataError, UsageError
from sage_select.render.adapter_files import ADAPTER_FILES, tensor_shapes

__all__ = ["load_adapter", "sort_layers"]


def load_adapter(model: torch.nn.Module, folder: Path, *, dropout: float | None = None) -> PeftModel:
    """Return `model` with the adapter in `folder`; `model` itself is changed.

    Parameters
    ----------
    dropout
        Where the adapter is to be trained on: its dropout. None: it is only used.

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
    options: dict[str, Any] = {}
    try:
        if dropout is not None:
            settings = LoraConfig.from_pretrained(str(folder))
            settings.lora_dropout = dropout
            options = {"config": settings, "is_trainable": True}
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Found missing adapter keys")
            adapted = PeftModel.from_pretrained(model, str(folder), **options)
        sort_layers(adapted.peft_config["default"])
        _refuse_unread(adapted, folder / ADAPTER_FILES[1])
        return adapted
    except (
        OSError,
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        SafetensorError,
        UserWarning,
    ) as error:
        said = str(error).strip().partition("\n")[0]
        raise DataError(
            "the adapter cannot be loaded", where=str(folder), got=said, hint="it may be damaged, or of another model"
        ) from None


def _refuse_unread(adapted: PeftModel, file: Path) -> None:
    """Raise KeyError where there are weights for a layer that got no adapter: PEFT passes over them.

    Names of layers that the model does not have are those of older releases, which PEFT translates.
    """
    parts = dict(adapted.get_base_model().named_modules())
    for name in tensor_shapes(file):
        layer, mark, _ = name.removeprefix("base_model.model.").partition(".lora_")
        if mark and layer in parts and not isinstance(parts[layer], LoraLayer):
            raise KeyError(f"there are weights for {layer}, which adapter_config.json does not name")


def sort_layers(adapter: LoraConfig) -> None:
    """Put the names of layers in order: PEFT writes sets by their hashes, also into checkpoints."""
    for key in ("target_modules", "target_parameters"):
        if isinstance(getattr(adapter, key), set | list):
            setattr(adapter, key, sorted(getattr(adapter, key)))
