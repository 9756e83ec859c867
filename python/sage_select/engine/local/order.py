"""The order stage: where each selected row stands in training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sage_select.engine.frame import Frame
from sage_select.seeds import stage_key

__all__ = ["training_order"]


def training_order(frame: Frame, picks: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the pick numbers (ranks) in training order: a shuffle keyed by seed and row id.

    Never the order of the picks, which would put the hardest rows first.
    """
    hashes = frame.hashes(stage_key(seed, "order"))[picks]
    return np.lexsort((np.arange(len(picks)), hashes)).astype(np.int64)
