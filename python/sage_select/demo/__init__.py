"""The built-in demo: tool-use dialogues to select from, and a tiny model to fine-tune on the selection.

Both were made by the seeded scripts in `scripts/demo`, from generated text only. The dialogues call tools that
the model never saw in pre-training; it knows the language, the chat format and how to copy from the list of tools.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

__all__ = ["NAME", "TRAINING", "flaws_path", "heldout_path", "is_demo", "model_path", "rows_path"]

#: What a manifest gives as the name of its source.
NAME: Final = "built-in demo data"

_HERE: Final = Path(__file__).parent

#: Settings of `TrainConfig` at which the demo model learns from a tenth of the rows in a minute or two on two cores.
TRAINING: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "learning_rate": 3e-3,
        "batch_size": 8,
        "gradient_accumulation": 1,
        "gradient_checkpointing": False,
        "max_steps": 150,
        "max_length": 512,
    }
)


def rows_path() -> Path:
    """Return the training rows: 900 dialogues as gzipped JSON lines, some repeated, some mislabelled.

    Examples
    --------
    >>> rows_path().name
    'train.jsonl.gz'
    """
    return _HERE / "data" / "train.jsonl.gz"


def heldout_path() -> Path:
    """Return the held-out rows: 240 clean dialogues, none of which is among the training rows.

    Examples
    --------
    >>> heldout_path().name
    'heldout.jsonl.gz'
    """
    return _HERE / "data" / "heldout.jsonl.gz"


def flaws_path() -> Path:
    """Return the list of flawed training rows.

    A JSON object: `mislabelled` is a list of row ids, `duplicates` maps the id of a repeated row to the id of
    the row that it repeats.

    Examples
    --------
    >>> flaws_path().name
    'flaws.json'
    """
    return _HERE / "data" / "flaws.json"


def model_path() -> Path:
    """Return the folder of the demo model and its tokenizer, in the layout of `from_pretrained`.

    Examples
    --------
    >>> (model_path() / "config.json").is_file()
    True
    """
    return _HERE / "model"


def is_demo(manifest: Mapping[str, Any]) -> bool:
    """Return whether the selection that `manifest` describes was made from the demo data.

    Examples
    --------
    >>> is_demo({"source": {"name": NAME, "demo": True}})
    True
    >>> is_demo({"source": {"name": "rows.jsonl", "demo": False}})
    False
    """
    return manifest.get("source", {}).get("demo") is True
