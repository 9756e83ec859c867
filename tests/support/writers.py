"""Models that read a text and write another, as small as they come, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

__all__ = ["KINDS", "make_writer"]

#: Kind -> its configuration and its class in transformers.
KINDS: Final = {
    "bart": ("BartConfig", "BartForConditionalGeneration"),
    "marian": ("MarianConfig", "MarianMTModel"),
}
#: How much likelier than others the end is, as a logarithm: texts end after some tokens.
_END: Final = 3.0
_LAYERS: Final = {"layers": 2, "attention_heads": 4, "ffn_dim": 64}


def make_writer(kind: str, tokenizer_folder: Path, folder: Path) -> Path:
    """Write a model with random weights (seeded), and the tokenizer of another."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_folder)
    config, model_class = (getattr(transformers, name) for name in KINDS[kind])
    layers = {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in _LAYERS.items()}
    torch.manual_seed(0)
    model: Any = model_class(
        config(
            d_model=32,
            max_position_embeddings=128,
            init_std=0.2,
            vocab_size=len(tokenizer),
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            forced_eos_token_id=None,
            decoder_start_token_id=tokenizer.pad_token_id,
            **layers,
        )
    )
    model.final_logits_bias[0, tokenizer.eos_token_id] = _END
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
