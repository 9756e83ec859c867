"""How the frozen base model is held in fewer bits."""

from __future__ import annotations

from typing import Any

from sage_select.render.extras import require
from sage_select.train.config import Precision, TrainConfig

__all__ = ["quantisation"]


def quantisation(config: TrainConfig, precision: Precision) -> Any | None:
    """Return the bitsandbytes settings for 4-bit NF4 with double quantisation (QLoRA) or for 8-bit, or None.

    Raises
    ------
    ResourceError
        If bitsandbytes is not installed.
    """
    if not (config.load_in_4bit or config.load_in_8bit):
        return None
    require("bitsandbytes", "train")
    torch, transformers = require("torch", "train"), require("transformers", "train")
    if config.load_in_8bit:
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    compute = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute[precision],
    )
