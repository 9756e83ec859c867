"""Which files of a model folder its weights are read from: safetensors inside the folder, or a refusal.

An index of shards is content that came with the model: what it names may be a pickle, or lie outside the folder, and a
library would load it all the same. Links of the file system are its owner's and are followed (a hub's cache consists
of them), as long as they lead to a regular file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from sage_select.errors import UsageError

__all__ = [
    "INDEX",
    "check_encoder_folder",
    "check_regular",
    "index_shards",
    "model_files",
    "refuse_adapter",
    "weight_files",
]

INDEX: Final = "model.safetensors.index.json"
_WEIGHTS: Final = "model.safetensors"
_PICKLES: Final = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"})
_IDENTITY: Final = frozenset({".jinja", ".json", ".model", ".safetensors", ".txt"})
_SAVE_AGAIN: Final = "save the model again with save_pretrained(..., safe_serialization=True)"


def weight_files(folder: Path, source: str) -> list[Path]:
    """Return the files that the weights of a model are read from, its index of shards first where there is one.

    Parameters
    ----------
    folder
        The folder of a model of transformers.
    source
        The model as the user named it, for messages.

    Raises
    ------
    UsageError
        There are none, or the index names something else than safetensors inside the folder.
    """
    whole, index = folder / _WEIGHTS, folder / INDEX
    if whole.is_file():
        return [whole]
    if index.is_file():
        shards = [folder / name for name in index_shards(index, source)]
        missing = next((shard for shard in shards if not shard.is_file()), None)
        if missing is not None:
            raise UsageError(
                "the index of the model's weights names a file that is not there",
                where=str(index),
                got=missing.name,
                hint="fetch the model again",
            )
        return [index, *shards]
    pickled = any(path.suffix in _PICKLES for path in folder.iterdir())
    others = sorted(path.name for path in folder.glob("*.safetensors"))
    raise UsageError(
        "the folder holds no weights that can be read",
        where=source,
        expected=f"{_WEIGHTS} or {INDEX} (*.safetensors)",
        got="pickled weights, which are never loaded" if pickled else ", ".join(others) or "no weights",
        hint=_SAVE_AGAIN if pickled else None,
    )


def index_shards(index: Path, source: str) -> list[str]:
    """Return the names in an index of shards, sorted; it raises UsageError where one is no safetensors inside."""
    try:
        names = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        shards = sorted(set(names))
        if not shards or not all(isinstance(name, str) for name in shards):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(
            "the index of the model's weights cannot be read",
            where=str(index),
            expected='{"weight_map": {weight: file}}',
            hint="fetch the model again",
        ) from None
    for name in shards:
        if not name.endswith(".safetensors"):
            raise UsageError(
                "the index of the model's weights names a file that is no safetensors; pickles are never loaded",
                where=source,
                expected="*.safetensors",
                got=name,
                hint=_SAVE_AGAIN,
            )
        # A backslash or a colon would be a path elsewhere.
        if PurePosixPath(name).is_absolute() or ".." in name.replace("\\", "/").split("/") or ":" in name:
            raise UsageError(
                "the index of the model's weights names a file outside the model's folder", where=source, got=name
            )
    return shards


def check_regular(folder: Path) -> None:
    """Refuse a folder in which a file is none (a pipe, a device): reading it may never end.

    Raises
    ------
    UsageError
        Naming the file.
    """
    for path in _walk(folder):
        if not path.is_file():
            raise UsageError("this is no regular file", where=str(path), hint="name a folder with the model's files")


def refuse_adapter(folder: Path, source: str) -> None:
    """Raise UsageError where an adapter lies beside a model: it would be loaded with it, unseen."""
    if (folder / "adapter_config.json").is_file():
        raise UsageError(
            "the folder holds an adapter beside the model, which would be loaded with it",
            where=source,
            hint="merge the adapter into the model, or move adapter_config.json elsewhere to use the model alone",
        )


def check_encoder_folder(folder: Path, source: str) -> None:
    """Refuse the folder of a text encoder where any of its modules would be read from anything but safetensors.

    Raises
    ------
    UsageError
        Naming the file.
    """
    check_regular(folder)
    for part in sorted({path.parent for path in _walk(folder)}):
        refuse_adapter(part, source)
        if (part / _WEIGHTS).is_file():
            continue
        if (part / INDEX).is_file():
            weight_files(part, source)
        elif (part / "pytorch_model.bin").exists() or (part / "pytorch_model.bin.index.json").exists():
            raise UsageError(
                "the model's weights are pickled, and pickles are never loaded",
                where=str(part / "pytorch_model.bin"),
                expected=_WEIGHTS,
                hint=_SAVE_AGAIN,
            )
    for name in _module_paths(folder / "modules.json"):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise UsageError("modules.json names a folder outside the model's folder", where=source, got=name)


def model_files(folder: Path) -> list[Path]:
    """Return every file of a model folder that may change what the model gives, in the order of their paths."""
    return sorted(path for path in _walk(folder) if path.suffix in _IDENTITY and path.is_file())


def _module_paths(modules: Path) -> Iterator[str]:
    if not modules.is_file():
        return
    try:
        listed: Any = json.loads(modules.read_text(encoding="utf-8"))
        paths = [module["path"] for module in listed]
        if not all(isinstance(path, str) for path in paths):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(
            "the list of the encoder's modules cannot be read",
            where=str(modules),
            expected='[{"path": folder, "type": class}, ...]',
            hint="fetch the model again",
        ) from None
    yield from paths


def _walk(folder: Path) -> Iterator[Path]:
    """Yield everything in a folder but folders and what is hidden (`.git`, `.cache`)."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith("."))
