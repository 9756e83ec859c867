"""What a training run may be told, with every value checked before anything is loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from sage_select.errors import UsageError, nearest
from sage_select.render.truncate import LongRow

__all__ = [
    "ALL_LINEAR",
    "DEFAULT_OUTPUT_DIR",
    "EXPERTS",
    "MAX_LENGTH_CAP",
    "PATTERN",
    "Precision",
    "Schedule",
    "TrainConfig",
]

Precision = Literal["bf16", "fp16", "fp32"]
Schedule = Literal["linear", "cosine", "constant"]

DEFAULT_OUTPUT_DIR = Path("~/.sage/agent_training")

#: What `lora_target` may name besides paths: every linear layer but routers, the experts of a mixture, and, by what
#: follows these letters, whatever a regular expression matches.
ALL_LINEAR = "all-linear"
EXPERTS = "experts"
PATTERN = "re:"

#: `max_length=None` means the model's context, at most this many tokens.
MAX_LENGTH_CAP = 2048


def _share(value: Any) -> Any:
    """Return `1%` as the number it is."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip()[:-1]) / 100
        except ValueError:
            return value
    return value


Count = Annotated[int, Field(gt=0, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, BeforeValidator(_share), Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


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


class TrainConfig(BaseModel):
    """The settings of one LoRA fine-tuning run.

    Parameters
    ----------
    model
        Folder or repository id of a causal language model.
    output_dir
        Folder that receives `checkpoints/`, `logs/`, `lora_weights/` and `run.json`; made if absent.
    max_length
        Longest row in tokens. None: the model's context, at most 2048.
    on_long_row
        What becomes of longer rows, all of them counted. `keep_turns`: conversations keep their system turns and tools
        and lose whole turns, the oldest first, never the last user turn; those of which too much has to stay are left
        out; plain texts keep their start. `keep_end`, `keep_start`: as many tokens as there may be. `drop`: none.
        `error` refuses the selection.
    epochs, max_steps
        Passes over the rows; `max_steps` optimizer steps win over `epochs`.
    packing
        Put several examples of a step into one sequence, no longer than the longest of them, each seeing only itself.
        The step is the same; less is computed on padding. Refused for models that cannot keep examples apart.
    packing_lookback
        How many of the last sequences of a step an example may go into.
    schedule_file
        A table of the rows that each step consumes, as the `schedule.arrow` of a run is one: it says how many steps
        there are, instead of `epochs` and `max_steps`.
    learning_rate
        Peak rate. LoRA wants about ten times the rate of full tuning.
    batch_size, gradient_accumulation
        Rows in a forward pass, and forward passes in an optimizer step.
    warmup
        Below 1: share of the steps; from 1 on: number of steps.
    schedule
        How the rate falls after the warmup: linear or cosine to 0, or constant.
    weight_decay, max_grad_norm
        AdamW's decay, and the norm to which gradients are clipped (0: not clipped).
    lora_r, lora_alpha, lora_dropout
        Rank, scale (alpha / r multiplies the update) and dropout of the adapter.
    lora_target
        What gets an adapter: `all-linear` (every linear layer but the output and routers), paths or the last parts of
        them, of layers or of what holds layers (`q_proj`, `layers.0.self_attn`), `experts` (of a mixture, whose stacked
        weights all-linear leaves out), and `re:` with a regular expression that matches whole paths. One text may hold
        several, `"q_proj,v_proj"`; an expression comes last.
    precision
        None: bf16 on a GPU that has it, fp16 on another GPU, fp32 on a CPU.
    load_in_4bit, load_in_8bit
        Hold the frozen base model in 4-bit NF4 or 8-bit integers (bitsandbytes).
    gradient_checkpointing
        Recompute activations in the backward pass: less memory, about a third more time.
    seed
        Seeds the adapter's initial weights and dropout, 0 to 2**32 - 1. Never the order of rows, which is the
        selection's.
    save_steps, keep_checkpoints
        Steps between checkpoints (one is always written at the last step), and how many are kept. None: a tenth of
        the run's steps, and also whenever ten minutes have passed since the last.
    logging_steps
        Steps between two points in the TensorBoard log.
    chat_template
        A Jinja file to render conversations with, instead of the model's own template.
    thinking_history
        What becomes of answers that the chat template writes differently once other turns follow, as those of thinking
        models do: `split` trains each in an example of its own, `last` only those that one example holds as they were.
    on_lost_words
        `warn` tells of words that the chat template leaves out, `error` refuses the selection.
    on_bad_row, max_bad
        `drop` leaves out rows that cannot be read or that the chat template refuses, at most the share `max_bad`;
        `error` refuses the selection and counts them. None: the former are refused, the latter left out and counted.
    text_column, prompt_column, completion_column, template
        How rows are read where neither the selection's manifest nor the column names tell; they win over both.
    verify
        Refuse rows, or a manifest of theirs, that have been changed since `sage-select` wrote them.
    resume
        Continue the unfinished run in `output_dir` from its newest complete checkpoint.
    force
        Replace another run in `output_dir`.

    Raises
    ------
    UsageError
        If a value is out of range, an option is unknown, or two options contradict each other. All faults are
        named at once.

    Examples
    --------
    >>> TrainConfig(model="m", max_steps=20).lora_alpha
    128
    >>> TrainConfig(model="m", lora_r=-1)
    Traceback (most recent call last):
        ...
    sage_select.errors.UsageError: bad training settings
      got: lora_r = -1: must be above 0
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, Path) else value)]
    output_dir: Path = DEFAULT_OUTPUT_DIR
    max_length: Annotated[int, Field(ge=2, strict=True)] | None = None
    on_long_row: LongRow = "keep_turns"
    epochs: Positive = 3.0
    max_steps: Count | None = None
    learning_rate: Positive = 2e-4
    batch_size: Count = 4
    gradient_accumulation: Count = 4
    packing: bool = False
    packing_lookback: Count = 8
    schedule_file: Path | None = None
    warmup: NotNegative = 0.03
    schedule: Schedule = "cosine"
    weight_decay: NotNegative = 0.0
    max_grad_norm: NotNegative = 1.0
    lora_r: Count = 64
    lora_alpha: Count = 128
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    lora_target: Annotated[tuple[str, ...], BeforeValidator(_split), Field(min_length=1)] = (ALL_LINEAR,)
    precision: Precision | None = None
    load_in_4bit: bool = False
    load_in_8bit: bool = False
    gradient_checkpointing: bool = True
    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)] = 0
    save_steps: Count | None = None
    keep_checkpoints: Count = 2
    logging_steps: Count = 10
    chat_template: Path | None = None
    thinking_history: Literal["split", "last"] = "split"
    on_lost_words: Literal["warn", "error"] = "warn"
    on_bad_row: Literal["error", "drop"] | None = None
    max_bad: Share = 0.01
    text_column: str | None = None
    prompt_column: str | None = None
    completion_column: str | None = None
    template: str | None = None
    verify: bool = True
    resume: bool = False
    force: bool = False

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, data: Any, handler: ModelWrapValidatorHandler[TrainConfig]) -> TrainConfig:
        try:
            config = handler(data)
        except ValidationError as error:
            faults = [_fault(fault) for fault in error.errors(include_url=False)]
            raise UsageError("bad training settings", got="; ".join(faults), hint=_hint(error)) from None
        config._check_pairs()
        return config

    def _check_pairs(self) -> None:
        if self.load_in_4bit and self.load_in_8bit:
            raise UsageError("4-bit and 8-bit loading exclude each other", hint="choose one of the two")
        if self.resume and self.force:
            raise UsageError(
                "resume continues the run in the output folder and force replaces it", hint="choose one of the two"
            )
        fields = type(self).model_fields
        other = {name for name in fields if getattr(self, name) != fields[name].default}
        if "packing_lookback" in other and not self.packing:
            raise UsageError("packing_lookback is for packing", hint="pack with --packing, or leave it out")
        if self.schedule_file is not None and (said := sorted({"epochs", "max_steps"} & other)):
            raise UsageError(
                f"the schedule says how many steps there are, so {' and '.join(said)} would do nothing",
                where=str(self.schedule_file),
                hint="leave out one of the two",
            )
        for target in self.lora_target:
            try:
                re.compile(target.removeprefix(PATTERN) if target.startswith(PATTERN) else "")
            except re.error as error:
                raise UsageError(
                    "an adapter target is no regular expression",
                    expected=f"{PATTERN} and an expression of Python's re",
                    got=f"{target}: {error}",
                ) from None
        if self.warmup >= 1 and self.warmup != int(self.warmup):
            raise UsageError(
                "a warmup of 1 or more is a number of steps", expected="a whole number", got=str(self.warmup)
            )


#: Kind of fault in pydantic's terms -> what is wrong, in plain words.
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is no setting",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be {le} or less",
    "finite_number": "must be a finite number",
    "literal_error": "must be {expected}",
    "too_short": "must name at least one",
    "string_type": "must be text",
    "path_type": "must be a path",
    "tuple_type": "must be a list of names",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "must be settings by name"),
}


def _fault(fault: Any) -> str:
    name = ".".join(str(part) for part in fault["loc"]) or "settings"
    words = _WORDS.get(fault["type"], "is not valid").format(**fault.get("ctx", {}))
    shown = "" if fault["type"] == "missing" else f" = {fault['input']!r}"
    return f"{name}{shown}: {words}" if shown else f"{name} {words}"


def _hint(error: ValidationError) -> str | None:
    for fault in error.errors():
        if fault["type"] == "extra_forbidden":
            return nearest(str(fault["loc"][0]), TrainConfig.model_fields)
    return None
