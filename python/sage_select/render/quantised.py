"""How the frozen weights of a model are held in fewer bits."""

from __future__ import annotations

from typing import Any, Literal

from sage_select.render.extras import require

__all__ = ["one_arithmetic", "quantised"]


def quantised(bits: Literal[4, 8], dtype: str) -> Any:
    """Return the bitsandbytes settings for 8-bit, or for 4-bit NF4, computed in `dtype`, with double quantisation.

    Raises
    ------
    ResourceError
        If bitsandbytes is not installed.
    """
    require("bitsandbytes", "train")
    torch, transformers = require("torch", "train"), require("transformers", "train")
    if bits == 8:
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
    )


def one_arithmetic(model: Any) -> None:
    """Let 4-bit layers on a processor compute alike in training and in evaluation.

    On processors with AVX512-BF16, bitsandbytes repacks a layer for inference when it is first evaluated: from then on
    it computes in bfloat16 whatever was asked for, and it fails where the width is no multiple of 64.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
