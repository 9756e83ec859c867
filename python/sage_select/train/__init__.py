"""Training: a selection in, a LoRA adapter out, rows consumed exactly in the selection's order.

Importing this package is light; torch and the trainer are loaded by `train`.
"""

from __future__ import annotations

from sage_select.train.config import TrainConfig
from sage_select.train.preflight.flight import preflight
from sage_select.train.result import TrainResult
from sage_select.train.run import train

__all__ = ["TrainConfig", "TrainResult", "preflight", "train"]
