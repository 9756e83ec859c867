"""The base model of a run: its renderer, and its frozen weights as the run holds them."""

from __future__ import annotations

import os
from typing import Any

from sage_select.errors import UsageError
from sage_select.render.chat import load_chat_template
from sage_select.render.model_files import load_causal_lm, load_config, load_tokenizer, require_vocabulary
from sage_select.render.quantised import one_arithmetic
from sage_select.render.tokens import Renderer
from sage_select.render.truncate import context_length
from sage_select.train.config import TrainConfig
from sage_select.train.kinds import KINDS
from sage_select.train.quantisation import quantisation
from sage_select.train.settings.model import Precision
from sage_select.train.settings.rows import MAX_LENGTH_CAP

__all__ = ["given_template", "load_base_model", "open_renderer"]

_DTYPES: dict[Precision, str] = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


def open_renderer(config: TrainConfig) -> Renderer:
    """Return the renderer of a run: the model's tokenizer, the length of a row and the chat template.

    Raises
    ------
    UsageError
        If the model is not there, or a row may be longer than its context.
    """
    tokenizer = load_tokenizer(config.model)
    context = context_length(load_config(config.model), tokenizer)
    if config.max_length is not None and context is not None and config.max_length > context:
        raise UsageError(
            f"rows of {config.max_length} tokens do not fit the model",
            where=config.model,
            expected=f"at most {context} tokens",
            hint=f"--max-length {context} or less",
        )
    return Renderer(
        tokenizer,
        max_length=config.max_length or min(context or MAX_LENGTH_CAP, MAX_LENGTH_CAP),
        chat_template=given_template(config),
        history=config.thinking_history,
        on_long_row=config.on_long_row,
        variables=config.chat_template_kwargs,
    )


def given_template(config: TrainConfig) -> str | None:
    """Return the text of the chat template that stands in place of the model's own, if one is given."""
    return None if config.chat_template is None else load_chat_template(config.chat_template)


def load_base_model(config: TrainConfig, precision: Precision, tokenizer: Any) -> Any:
    """Return the model with its weights in `precision`, or quantised, on the GPU if there is one.

    Weights that are trained are held in float32: in fewer bits small updates are lost.

    Raises
    ------
    UsageError
        If it is not a causal language model, or the tokenizer belongs to another one.
    """
    import torch

    device = int(os.environ.get("LOCAL_RANK", "0"))  # of this process, where there are several
    options: dict[str, Any] = {"device_map": {"": device}} if torch.cuda.is_available() else {}
    if config.attn_implementation is not None:
        options["attn_implementation"] = config.attn_implementation
    held: Precision = precision if KINDS[config.adapter].lora is not None else "fp32"
    model = load_causal_lm(config.model, _DTYPES[held], quantisation(config, _DTYPES[precision]), **options)
    one_arithmetic(model)
    require_vocabulary(model, tokenizer, config.model)
    return model
