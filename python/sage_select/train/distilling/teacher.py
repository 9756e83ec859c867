"""A teacher in memory, beside the student."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from sage_select.errors import UsageError
from sage_select.render.adapted import load_adapter
from sage_select.render.adapter_files import adapter_folder
from sage_select.train.base_model import load_base_model
from sage_select.train.config import TrainConfig
from sage_select.train.distilling.head import Head
from sage_select.train.distilling.source import TeacherInputs, TeacherOutputs
from sage_select.train.distilling.vocabulary import known_tokens
from sage_select.train.hardware import precision_here
from sage_select.train.own_loss import text_only
from sage_select.train.separation import keeps_apart

if TYPE_CHECKING:
    from pathlib import Path

    from sage_select.train.methods import Material
    from sage_select.train.methods.distillation import Distillation

__all__ = ["Teacher", "frozen_model", "load_teacher"]


def load_teacher(settings: Distillation, material: Material) -> Teacher:
    """Return the teacher that the settings name, in its own precision.

    Raises
    ------
    UsageError
        If it is no causal language model, its adapter is of another one, or it cannot see packed examples apart.
    """
    config = TrainConfig(
        model=settings.teacher,
        precision=settings.teacher_precision or material.precision,
        load_in_4bit=settings.teacher_load_in_4bit,
        load_in_8bit=settings.teacher_load_in_8bit,
    )
    tokenizer = material.renderer.tokenizer
    adapter = None if settings.teacher_adapter is None else adapter_folder(settings.teacher_adapter)
    model = frozen_model(config, tokenizer, adapter)
    row = material.rows.table["input_ids"][0].as_py()
    if material.config.packing and not keeps_apart(model, row):
        raise UsageError(
            f"the teacher, a {type(model.get_base_model()).__name__}, mixes examples that lie in one sequence",
            hint="leave out --packing, or store what it says first: sage-train teacher-logits",
        )
    return Teacher(model, row, known_tokens(tokenizer), temperature=settings.distillation_temperature)


def frozen_model(config: TrainConfig, tokenizer: Any, adapter: Path | None) -> Any:
    """Return the model of a run in evaluation mode, with an adapter or without one, and nothing to train.

    Raises
    ------
    UsageError, DataError
        As `load_base_model` and `load_adapter` do.
    """
    model = load_base_model(config, precision_here(config), tokenizer)
    if adapter is None:
        # What an adapted model is asked for as well.
        model.get_base_model = lambda: model
    else:
        model = load_adapter(model, adapter)
    model.requires_grad_(False)
    return model.eval()


class Teacher:
    """What a model says, over the tokens that its tokenizer knows.

    Parameters
    ----------
    model
        Frozen, in evaluation mode.
    row
        Token ids, with which it is tried.
    known
        Tokens of the vocabulary. Output layers may be wider, and those of teacher and student of different widths.
    temperature
        What logits are divided by.
    """

    def __init__(self, model: Any, row: Sequence[int], known: int, *, temperature: float) -> None:
        self._model, self._head = model, Head(model, row)
        self._known, self._temperature = known, temperature

    def told(self, asked: TeacherInputs) -> TeacherOutputs:
        """Return the logits and hidden states of the teacher, for the trained tokens alone."""
        base = self._model.get_base_model()
        shared = ("input_ids", "attention_mask", "position_ids")
        inputs = {name: asked.inputs[name].to(base.device) for name in shared if name in asked.inputs}
        inputs |= text_only(base, inputs["input_ids"])
        # It computes in its own precision, not in that of the student around it.
        with torch.no_grad(), torch.autocast(base.device.type, enabled=False):
            after = self._head(self._model, inputs, asked.after.to(base.device))
        return TeacherOutputs((after.logits[:, : self._known],), after.hidden)

    def pair(self, parts: Sequence[torch.Tensor], logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return both distributions over the whole vocabulary."""
        (theirs,) = parts
        log_p = (theirs.float() / self._temperature).log_softmax(-1)
        return log_p, (logits[:, : self._known].float() / self._temperature).log_softmax(-1)
