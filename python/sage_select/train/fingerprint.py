"""What makes two runs the same: the tokens in their order, the model, and every setting that changes a weight."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sage_select.train.config import Precision, TrainConfig

__all__ = ["differences", "fingerprint", "identity"]

#: Raised when the same settings begin to train different weights.
_RECIPE = 4

#: Settings that say where, when or how much is told. How rows are read and cut acts
#: through the tokens, a schedule of the user's through its rows.
_NOT_IDENTITY = frozenset(
    {
        "chat_template",
        "completion_column",
        "force",
        "keep_checkpoints",
        "logging_steps",
        "max_bad",
        "max_length",
        "model",
        "on_bad_row",
        "on_long_row",
        "on_lost_words",
        "output_dir",
        "precision",
        "prompt_column",
        "resume",
        "save_steps",
        "schedule_file",
        "template",
        "text_column",
        "thinking_history",
        "verify",
    }
)


def identity(
    config: TrainConfig, *, precision: Precision, model: str, rows: str, tokens: str, schedule: str
) -> dict[str, Any]:
    """Return the parts that define a run, each a short value fit for a message.

    Parameters
    ----------
    precision
        The resolved one, never None.
    model
        Digest or revision of the base model.
    rows, tokens
        Digests of the row ids in training order, and of what is trained on each.
    schedule
        Digest of which examples each step consumes.
    """
    settings = config.model_dump(mode="json", exclude=set(_NOT_IDENTITY))
    settings["lora_target"] = sorted(config.lora_target)
    return {
        "recipe": _RECIPE,
        "rows and their order": rows,
        "tokens and labels": tokens,
        "schedule of the steps": schedule,
        "model": model,
        "precision": precision,
        **settings,
    }


def fingerprint(parts: Mapping[str, Any]) -> str:
    """Return one digest of all parts, 32 hex characters."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say in which parts two runs differ.

    Examples
    --------
    >>> differences({"epochs": 3.0, "seed": 0}, {"epochs": 1.0, "seed": 0})
    ['epochs: 3.0 before, 1.0 now']
    """
    return [
        f"{name}: {before.get(name)} before, {now.get(name)} now"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
