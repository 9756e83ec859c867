"""What is wrong with a teacher, found before any weights are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sage_select.errors import UsageError
from sage_select.render.adapter_files import adapter_digest, adapter_folder
from sage_select.render.model_files import load_config, load_tokenizer, model_revision
from sage_select.render.truncate import context_length
from sage_select.train.distilling.vocabulary import require_same_tokens

if TYPE_CHECKING:
    from sage_select.train.methods import Material
    from sage_select.train.methods.distillation import Distillation

__all__ = ["require_room", "teacher_content"]


def teacher_content(settings: Distillation, material: Material) -> Mapping[str, str]:
    """Return what names the teacher, or the file with what it says.

    Raises
    ------
    UsageError
        If its tokens are others, rows do not fit it, hidden states are to be compared that have different widths,
        or the file was made of other rows, with other tokens, or for another temperature.
    DataError
        If the file is damaged.
    """
    if settings.teacher is None:
        from sage_select.train.distilling.stored import check_stored

        return {"teacher_logits": check_stored(settings, material)}
    student, teacher = load_config(material.config.model), load_config(settings.teacher)
    tokenizer = load_tokenizer(settings.teacher)
    require_same_tokens(material.renderer.tokenizer, tokenizer, settings.teacher)
    require_room(teacher, tokenizer, int(material.rows.lengths.max()), settings.teacher)
    widths = [config.get_text_config().hidden_size for config in (student, teacher)]
    if settings.hidden_cosine and widths[0] != widths[1]:
        raise UsageError(
            "hidden states of different widths have no cosine",
            where=settings.teacher,
            expected=f"{widths[0]} numbers, as the student has",
            got=f"{widths[1]}",
            hint="leave out --hidden-cosine: the divergence of the logits needs no equal widths",
        )
    named = {"teacher": model_revision(settings.teacher)}
    if settings.teacher_adapter is not None:
        named["teacher_adapter"] = adapter_digest(adapter_folder(settings.teacher_adapter))
    return named


def require_room(config: Any, tokenizer: Any, longest: int, where: str) -> None:
    """Refuse a teacher whose context is shorter than the longest row."""
    context = context_length(config, tokenizer)
    if context is not None and longest > context:
        raise UsageError(
            f"rows of {longest} tokens do not fit the teacher",
            where=where,
            expected=f"at most {context} tokens",
            hint=f"--max-length {context} or less",
        )
