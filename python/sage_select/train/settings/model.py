"""Which model is trained, and how its weights are held."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator

from sage_select.declare import Settings
from sage_select.train.settings.declared import Setting

__all__ = ["ModelSettings", "Precision"]

Precision = Literal["bf16", "fp16", "fp32"]


#: Implementations of attention that transformers has; others are named by a repository of kernels.
_ATTENTION: Final = ("eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3", "flash_attention_4")


def _attention(value: str | None) -> str | None:
    if value is not None and value not in _ATTENTION and "/" not in value:
        raise ValueError(f"expected {', '.join(_ATTENTION)} or a repository of kernels, got {value!r}")
    return value


class ModelSettings(Settings):
    """Model."""

    model: Annotated[
        str,
        BeforeValidator(lambda value: str(value) if isinstance(value, Path) else value),
        # Known by the digest of its files.
        Setting(
            "folder or repository of the base model, a causal language model",
            default="the demo model, for the demo data",
            identity=False,
            trl=("model_name_or_path",),
            others=("base_model", "model_name", "-m"),
        ),
    ]
    precision: Annotated[
        Precision | None,
        # Known by what it comes to on this machine.
        Setting(
            "what is computed in; --bf16, --fp16 and --fp32 say it too",
            default="bf16 on a GPU that has it, fp16 on another, fp32 on a CPU",
            identity=False,
        ),
    ] = None
    load_in_4bit: Annotated[
        bool,
        Setting(
            "hold the frozen base model in 4 bits a weight (NF4, QLoRA)",
            flag="--load-in-4bit",
            one_of="quantisation",
            others=("load_in_4_bit", "--4bit", "--qlora"),
        ),
    ] = False
    load_in_8bit: Annotated[
        bool,
        Setting(
            "hold the frozen base model in 8 bits a weight",
            flag="--load-in-8bit",
            one_of="quantisation",
            others=("load_in_8_bit", "--8bit"),
        ),
    ] = False
    attn_implementation: Annotated[
        str | None,
        AfterValidator(_attention),
        Setting(
            "how attention is computed, as transformers name it: sdpa, eager, flash_attention_2 and others",
            metavar="NAME",
            default="what the model's class prefers",
        ),
    ] = None
    torch_compile: Annotated[
        bool, Setting("compile the model: minutes before the first step, faster steps on a GPU", flag="--torch-compile")
    ] = False
