"""The built-in demo: where its rows and its model lie, and the settings that suit them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

__all__ = ["NAME", "TRAINING", "heldout_path", "is_demo", "model_path", "rows_path"]

#: What messages and manifests call the demo data.
NAME: Final = "built-in demo data"

#: Settings at which the demo model learns from a tenth of the demo data, by the names of `TrainConfig`.
TRAINING: Final[Mapping[str, Any]] = MappingProxyType({"learning_rate": 3e-3, "batch_size": 8, "epochs": 10})


def rows_path() -> Path:
    """Return the file of training dialogues."""
    return _shipped("data/train.jsonl.gz")


def heldout_path() -> Path:
    """Return the file of held-out dialogues."""
    return _shipped("data/heldout.jsonl.gz")


def model_path() -> Path:
    """Return the folder of the demo model and its tokenizer."""
    return _shipped("model")


def is_demo(manifest: Mapping[str, Any] | None) -> bool:
    """Tell whether a selection's manifest says that its rows are those of the demo data."""
    return manifest is not None and manifest.get("source", {}).get("demo") is True


def _shipped(name: str) -> Path:
    return Path(str(resources.files(__name__).joinpath(name)))
