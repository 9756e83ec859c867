"""The tokenizer and the generation settings beside an adapter, so that it is used, and stops, as it was trained."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from transformers import GenerationConfig

from sage_select.render.tokens import Renderer

__all__ = ["save_tokenizer"]


def save_tokenizer(renderer: Renderer, model: Any, folder: Path) -> None:
    """Write the tokenizer with the chat template and the end token of the training, and `generation_config.json`.

    Parameters
    ----------
    renderer
        What encoded the rows of the training.
    model
        The trained model; the tokens that stopped it before go on to.
    folder
        The adapter's.
    """
    tokenizer = copy.deepcopy(renderer.tokenizer)
    tokenizer.chat_template = renderer.chat_template
    stops = renderer.stop_tokens
    if stops:
        tokenizer.eos_token = stops[0]
    before = model.generation_config.eos_token_id
    ids = [*tokenizer.convert_tokens_to_ids(stops), *([before] if isinstance(before, int) else before or ())]
    settings = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=list(dict.fromkeys(ids)) or None,
        pad_token_id=tokenizer.pad_token_id,
    )
    tokenizer.save_pretrained(str(folder))
    settings.save_pretrained(str(folder))
