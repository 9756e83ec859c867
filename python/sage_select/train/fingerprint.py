"""What makes two runs the same: the tokens in their order, the model, and every setting that changes a weight."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sage_select.train.config import TrainConfig
from sage_select.train.kinds import initialisation
from sage_select.train.settings.model import Precision

__all__ = [
    "EVALUATED",
    "REPLAY",
    "ROWS",
    "SCHEDULE",
    "TEMPLATE",
    "TOKENIZER",
    "TOKENS",
    "differences",
    "fingerprint",
    "identity",
]

#: The parts of a run that are digests: the ids of its rows in their order, what is trained on each, which examples each
#: step consumes, what makes tokens of a text, what writes conversations, and the rows evaluated meanwhile.
ROWS = "rows and their order"
TOKENS = "tokens and labels"
SCHEDULE = "schedule of the steps"
TOKENIZER = "tokenizer"
TEMPLATE = "chat template"
EVALUATED = "evaluated rows"
#: What is replayed: the commit of the buffer, and the rows that were drawn; there only where a buffer is named.
REPLAY = "replay buffer"
#: Raised when the same settings begin to train different weights.
_RECIPE = 5


def identity(
    config: TrainConfig,
    *,
    precision: Precision,
    model: str,
    rows: str,
    tokens: str,
    schedule: str,
    tokenizer: str,
    template: str,
    device: str = "cpu",
    adapter: str | None = None,
    processes: int = 1,
    evaluated: str | None = None,
    replay: Mapping[str, str] | None = None,
    method: Mapping[str, str] | None = None,
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
    device
        Where the weights are; it counts where the beginning of the adapter differs from device to device.
    adapter
        Digest of the adapter that the run goes on from, if it does.
    processes
        Those that share the forward passes of each step, each with random numbers of its own.
    schedule
        Digest of which examples each step consumes.
    tokenizer, template
        Digests of what makes tokens of a text, and of what writes conversations.
    evaluated
        Digest of the rows that are evaluated meanwhile, if any.
    replay
        What names the rows that are replayed, and by which ratio; None where there is no buffer.
    method
        Settings of the training method that name something -> what names its content.
    """
    settings = {**config.identity(), "from_adapter": adapter, **(method or {})}
    settings |= replay or {}
    if processes > 1:
        settings["processes"] = processes
    if initialisation(config.init_lora_weights).random_on_device:
        settings["device"] = device
    return {
        "recipe": _RECIPE,
        ROWS: rows,
        TOKENS: tokens,
        SCHEDULE: schedule,
        TOKENIZER: tokenizer,
        TEMPLATE: template,
        "model": model,
        "precision": precision,
        EVALUATED: evaluated,
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
