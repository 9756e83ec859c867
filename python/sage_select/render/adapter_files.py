"""The files of an adapter: where they lie, and what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from sage_select.errors import DataError, UsageError
from sage_select.io.tables.digest import digest_files
from sage_select.paths import user_path

__all__ = [
    "ADAPTER_FILES",
    "ADAPTER_FOLDER",
    "MODEL_FOLDER",
    "adapter_digest",
    "adapter_folder",
    "read_adapter",
    "tensor_shapes",
]

#: An adapter as PEFT writes it.
ADAPTER_FILES: Final = ("adapter_config.json", "adapter_model.safetensors")
#: Where an adapter, or a whole model, lies in the folder of a run of `sage-train`.
ADAPTER_FOLDER: Final = "lora_weights"
MODEL_FOLDER: Final = "tuned_model"
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
    inside = folder / ADAPTER_FOLDER
    for place in (folder, inside):
        if all((place / name).is_file() for name in ADAPTER_FILES):
            return place
    if (folder / MODEL_FOLDER).is_dir():
        raise UsageError("the run trained a whole model, not an adapter", where=str(folder / MODEL_FOLDER))
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
