"""How the frozen base model is held in fewer bits."""

from __future__ import annotations

from typing import Any

from sage_select.render.extras import require
from sage_select.train.config import TrainConfig
from sage_select.train.settings.model import Precision

__all__ = ["one_arithmetic", "quantisation"]


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


def one_arithmetic(model: Any) -> None:
    """Let 4-bit layers on a processor compute alike in training and in evaluation.

    On processors with AVX512-BF16, bitsandbytes repacks a layer for inference when it is first evaluated: from then on
    it computes in bfloat16 whatever was asked for, and it fails where the width is no multiple of 64.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
