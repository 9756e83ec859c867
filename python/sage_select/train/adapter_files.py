"""The files of an adapter: where they lie, what they say, and what a run takes over that goes on from one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sage_select.errors import DataError, UsageError
from sage_select.io.tables.digest import digest_files
from sage_select.paths import user_path
from sage_select.train.config import TrainConfig
from sage_select.train.kinds import KINDS, refuse_unusable
from sage_select.train.replaced import ADAPTER_FILES, RECORD_NAME

__all__ = ["adapter_digest", "adapter_folder", "base_of_run", "read_adapter", "tensor_shapes", "with_adapter"]

#: First weights whose adapters are only right beside base weights that they have altered.
_ALTERING: Final = ("pissa", "olora", "corda", "lora_ga")
#: The longest header of a file of weights that is read.
_LONGEST_HEADER: Final = 100_000_000


def adapter_folder(path: str | Path) -> Path:
    """Return the folder of an adapter: this one, or the one inside the folder of a run.

    Raises
    ------
    UsageError
        If there is none.
    """
    folder = user_path(path)
    inside = folder / KINDS["lora"].folder
    for place in (folder, inside):
        if all((place / name).is_file() for name in ADAPTER_FILES):
            return place
    if (folder / KINDS["full"].folder).is_dir():
        raise UsageError("the run trained a whole model, not an adapter", where=str(folder / KINDS["full"].folder))
    raise UsageError(
        "the folder holds no adapter",
        where=str(path),
        expected=f"{' and '.join(ADAPTER_FILES)}, there or in {inside.name}/",
    )


def read_adapter(folder: Path) -> dict[str, Any]:
    """Return what `adapter_config.json` says of an adapter.

    Raises
    ------
    DataError
        If the file is damaged.
    UsageError
        If the adapter is no LoRA.
    """
    path = folder / ADAPTER_FILES[0]
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        kind, rank, alpha = content["peft_type"], content["r"], content["lora_alpha"]
        if not isinstance(kind, str):
            raise TypeError("peft_type is no text")
        if kind == "LORA" and not (type(rank) is int and rank > 0 and isinstance(alpha, int | float)):
            raise TypeError("r is a whole number, lora_alpha a number")
    except KeyError as error:
        raise DataError("the adapter's settings are incomplete", where=str(path), expected=str(error.args[0])) from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError("the adapter's settings cannot be read", where=str(path), got=str(error)) from None
    if kind != "LORA":
        raise UsageError("the adapter is no LoRA", where=str(folder), got=f"peft_type {kind}")
    return dict(content)


def adapter_digest(folder: Path) -> str:
    """Return the digest of the adapter's settings and weights."""
    return digest_files([folder / name for name in ADAPTER_FILES])


def base_of_run(folder: Path) -> str | None:
    """Return the digest or revision of the base model that the run around an adapter records, if one does."""
    try:
        record = json.loads((folder.parent / RECORD_NAME).read_text(encoding="utf-8"))
        return str(record["identity"]["model"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


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


def tensor_shapes(file: Path) -> dict[str, list[int]]:
    """Return the shapes of the tensors in a file of safetensors, by name, from its header.

    Raises
    ------
    DataError
        If it has no such header.
    """
    try:
        with file.open("rb") as content:
            length = int.from_bytes(content.read(8), "little")
            if not 2 <= length <= min(_LONGEST_HEADER, file.stat().st_size - 8):
                raise ValueError("the header is longer than the file")
            header = json.loads(content.read(length))
        return {name: [int(side) for side in one["shape"]] for name, one in header.items() if name != "__metadata__"}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError("the weights cannot be read", where=str(file), got=str(error)) from None
