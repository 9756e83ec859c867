"""How the frozen base model of a run is held in fewer bits."""

from __future__ import annotations

from typing import Any

from sage_select.render.quantised import quantised
from sage_select.train.config import TrainConfig

__all__ = ["quantisation"]


def quantisation(config: TrainConfig, dtype: str) -> Any | None:
    """Return the bitsandbytes settings for the bits that the settings ask for, computed in `dtype`; None for all bits.

    Raises
    ------
    ResourceError
        If bitsandbytes is not installed.
    """
    if not (config.load_in_4bit or config.load_in_8bit):
        return None
    return quantised(4 if config.load_in_4bit else 8, dtype)
