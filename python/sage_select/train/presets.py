"""Defaults under a name: what is given beside them wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sage_select.train.named import Table

__all__ = ["PRESETS", "Preset"]


@dataclass(frozen=True)
class Preset:
    """Defaults of settings.

    Attributes
    ----------
    name, summary
        What settings call it, and what it is.
    settings
        Setting -> its default under this preset.
    """

    name: str
    summary: str
    settings: Mapping[str, Any]


PRESETS: Final = Table(
    "preset",
    (
        Preset(
            "sage",
            "The SAGE agent trainer's: rank 64, alpha 128, dropout 0.05, rate 2e-5 and 16 times that in B, 3 passes",
            {
                "lora_r": 64,
                "lora_alpha": 128,
                "lora_dropout": 0.05,
                "learning_rate": 2e-5,
                "loraplus_ratio": 16.0,
                "epochs": 3.0,
            },
        ),
    ),
)
