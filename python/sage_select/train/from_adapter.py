"""What a run takes over that goes on from an adapter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sage_select.errors import UsageError
from sage_select.render.adapter_files import adapter_folder, read_adapter
from sage_select.train.config import TrainConfig
from sage_select.train.kinds import KINDS, refuse_unusable
from sage_select.train.replaced import RECORD_NAME

__all__ = ["base_of_run", "going_on_from", "with_adapter"]

#: First weights whose adapters are only right beside base weights that they have altered.
_ALTERING: Final = ("pissa", "olora", "corda", "lora_ga")


def base_of_run(folder: Path) -> str | None:
    """Return the digest or revision of the base model that the run around an adapter records, if one does."""
    try:
        record = json.loads((folder.parent / RECORD_NAME).read_text(encoding="utf-8"))
        return str(record["identity"]["model"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def going_on_from(run: Path, config: TrainConfig) -> TrainConfig:
    """Return settings for a run that goes on from what another has trained, the adapter's own left to it."""
    if KINDS[config.adapter].lora is None:
        return config.changed(model=str(run / KINDS[config.adapter].folder))
    given = config.given_settings()
    return TrainConfig.of(
        {name: value for name, value in given.items() if name not in _OF_ADAPTER} | {"from_adapter": run}
    )


def with_adapter(config: TrainConfig) -> TrainConfig:
    """Return the settings of a run that goes on from an adapter, as that adapter has them.

    Raises
    ------
    UsageError
        If a setting that was given says otherwise, or the adapter cannot be gone on from.
    """
    if config.from_adapter is None:
        return config
    folder = adapter_folder(config.from_adapter)
    content = read_adapter(folder)
    first = content.get("init_lora_weights")
    if isinstance(first, str) and first.startswith(_ALTERING):
        raise UsageError(
            "the adapter is one for base weights that its beginning altered",
            where=str(folder),
            got=f"init_lora_weights {first}",
            hint="convert it: save_pretrained(..., path_initial_model_for_weight_conversion=...)",
        )
    theirs = _settings(content)
    # Dropout is a way of training: it may be another.
    given = config.model_fields_set & theirs.keys() - {"lora_dropout"}
    other = [name for name in sorted(given) if getattr(config, name) != theirs[name]]
    if other:
        raise UsageError(
            "the adapter to go on from is another",
            where=str(folder),
            expected="; ".join(f"{name} {_shown(theirs[name])}" for name in other),
            got="; ".join(f"{name} {_shown(getattr(config, name))}" for name in other),
            hint="leave these settings out",
        )
    if "lora_dropout" in config.model_fields_set:
        del theirs["lora_dropout"]
    effective = config.model_copy(update=theirs)
    refuse_unusable(effective)
    return effective


#: The settings by which an adapter is made, which the one that is gone on from has.
_OF_ADAPTER: Final = ("adapter", "use_rslora", "lora_r", "lora_alpha", "lora_target", "init_lora_weights")


def _settings(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings by which an adapter would be made."""
    targets = content.get("target_modules")
    names = [f"re:{targets}"] if isinstance(targets, str) else sorted(targets or ())
    return {
        "adapter": "dora" if content.get("use_dora") else "lora",
        "use_rslora": bool(content.get("use_rslora", False)),
        "lora_r": content["r"],
        "lora_alpha": content["lora_alpha"],
        "lora_dropout": float(content.get("lora_dropout") or 0.0),
        "lora_target": (*names, *sorted(content.get("target_parameters") or ())),
    }


def _shown(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
