"""What is trained beside the frozen model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from sage_select.declare import Settings
from sage_select.train.kinds import INITIALISATIONS, KINDS
from sage_select.train.settings.declared import Setting, Whole

__all__ = ["ALL_LINEAR", "EXPERTS", "PATTERN", "AdapterSettings"]

#: What `lora_target` may name besides paths: every linear layer but routers, the experts of a mixture, and, by what
#: follows these letters, whatever a regular expression matches.
ALL_LINEAR = "all-linear"
EXPERTS = "experts"
PATTERN = "re:"


def _split(value: Any) -> Any:
    """Take `"q_proj,v_proj"` for the names in it, alone or among others; the commas of an expression are its own."""
    if isinstance(value, str):
        begin = re.search(rf"(?:^|,)\s*{PATTERN}", value)
        names = value[: begin.start()] if begin else value
        pattern = (PATTERN + value[begin.end() :].strip(),) if begin else ()
        return (*(name for part in names.split(",") if (name := part.strip())), *pattern)
    if isinstance(value, list | tuple | set | frozenset) and all(isinstance(name, str) for name in value):
        texts = sorted(value) if isinstance(value, set | frozenset) else value
        return tuple(part for text in texts for part in _split(text))
    return value


class AdapterSettings(Settings):
    """Adapter."""

    adapter: Annotated[
        str,
        Setting(
            "what is trained: lora, dora (the length of each row of a weight apart), or full, the model itself",
            metavar=f"[{'|'.join(KINDS)}]",
            others=("finetuning_type", "peft_type", "tuner_type"),
            words={
                **dict.fromkeys(("use_dora", "peft_use_dora", "--dora"), "dora"),
                **dict.fromkeys(("full_finetuning", "--full", "--full-parameter"), "full"),
            },
        ),
    ] = "lora"
    lora_r: Annotated[
        Whole,
        Setting("rank of the adapter: how much it can learn, and how large it is", ge=1, others=("lora_rank", "rank")),
    ] = 64
    lora_alpha: Annotated[
        Whole, Setting("scale of the adapter; alpha / r multiplies its update", ge=1, others=("alpha",))
    ] = 128
    lora_dropout: Annotated[
        float,
        Setting(
            "dropout before the adapter; 0 where experts' stacked weights have one", ge=0, lt=1, others=("dropout",)
        ),
    ] = 0.05
    lora_target: Annotated[
        tuple[str, ...],
        BeforeValidator(_split),
        Field(min_length=1),
        Setting(
            "what gets an adapter: all-linear (every linear layer but the output and routers), layers by name "
            "(q_proj,v_proj), paths or what holds layers (layers.0.self_attn), experts (of a mixture, whose stacked "
            "weights all-linear leaves out), or re:PATTERN, a regular expression for whole paths; repeatable",
            default=ALL_LINEAR,
            trl=("lora_target_modules",),
            others=("target_modules",),
        ),
    ] = (ALL_LINEAR,)

    use_rslora: Annotated[
        bool,
        Setting(
            "scale the adapter by alpha / sqrt(r) in place of alpha / r (rsLoRA)",
            flag="--use-rslora",
            others=("rslora", "peft_use_rslora"),
        ),
    ] = False
    init_lora_weights: Annotated[
        str,
        Setting(
            "how the adapter begins; docs/training.md says what each is",
            metavar=f"[{'|'.join(INITIALISATIONS)}]",
            others=("init_weights", "peft_init_lora_weights"),
        ),
    ] = "default"
    from_adapter: Annotated[
        Path | None,
        Setting(
            "adapter, or run, to go on from: its weights, rank, scale and layers are taken",
            metavar="FOLDER",
            # Known by its digest.
            identity=False,
            others=("adapter_name_or_path", "lora_model_dir", "resume_adapter"),
        ),
    ] = None

    @model_validator(mode="after")
    def _expressions(self) -> Self:
        for target in self.lora_target:
            try:
                re.compile(target.removeprefix(PATTERN) if target.startswith(PATTERN) else "")
            except re.error as error:
                raise ValueError(
                    f"{target} is no regular expression: expected {PATTERN} and one of Python's re ({error})"
                ) from None
        return self
