"""The loss of distillation, a row, from the logits of the student and what a teacher says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn.functional import cosine_similarity, cross_entropy
from torch.utils.checkpoint import checkpoint

from sage_select.render.tokens import IGNORED
from sage_select.train.distilling.divergences import DIVERGENCES
from sage_select.train.distilling.head import Head
from sage_select.train.distilling.source import Source, TeacherInputs
from sage_select.train.own_loss import Objective, RowLosses, by_row

if TYPE_CHECKING:
    from sage_select.train.methods import Material
    from sage_select.train.methods.distillation import Distillation

__all__ = ["Distilled", "distillation_objective"]

#: Trained tokens whose logits are held in float32 at a time.
_CHUNK: Final = 1024


def distillation_objective(settings: Distillation, model: Any, material: Material) -> Objective:
    """Return what distillation makes of each forward pass; the teacher is loaded, or the file with its words opened.

    Raises
    ------
    UsageError
        If the teacher cannot be used beside the student.
    DataError
        If the file is damaged.
    """
    from sage_select.train.distilling.stored_teacher import open_stored
    from sage_select.train.distilling.teacher import load_teacher

    source: Source = (
        load_teacher(settings, material) if settings.teacher_logits is None else open_stored(settings, material.rows)
    )
    return Distilled(
        Head(model, material.rows.table["input_ids"][0].as_py()),
        source,
        alpha=settings.distillation_alpha,
        temperature=settings.distillation_temperature,
        divergence=DIVERGENCES[settings.divergence](settings.js_beta),
        hidden_cosine=settings.hidden_cosine,
    )


class Distilled:
    """alpha * T^2 * divergence + own * negative log-likelihood, and the cosine of hidden states on top.

    Tokens about which the teacher was not asked have their negative log-likelihood alone.

    Only what stands after trained tokens is computed, and in float32 a thousand tokens at a time, which are computed
    again for the gradient: beside the logits of both models for the trained tokens, in their own precision, there is
    never more.

    Parameters
    ----------
    head
        That of the student.
    source
        The teacher.
    alpha, temperature, divergence, hidden_cosine
        As the settings of the method.
    own
        The weight of the tokens themselves; None: 1 - alpha.
    """

    def __init__(
        self,
        head: Head,
        source: Source,
        *,
        alpha: float,
        temperature: float,
        divergence: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        hidden_cosine: float = 0.0,
        own: float | None = None,
    ) -> None:
        self._head, self._source = head, source
        self._scale, self._own = alpha * temperature**2, 1 - alpha if own is None else own
        self._divergence = divergence
        self._hidden_cosine = hidden_cosine

    def __call__(self, model: Any, inputs: dict[str, torch.Tensor], places: torch.Tensor, **options: Any) -> RowLosses:
        """Return the losses of the rows of a pass, as `sage_select.train.own_loss.Objective` says."""
        inputs = dict(inputs)
        owner, labels = inputs.pop("owner"), inputs.pop("labels")
        after = torch.zeros_like(labels, dtype=torch.bool)
        after[:, :-1] = labels[:, 1:] != IGNORED
        # The token before a trained one is of the same example: the first of an example is never trained.
        owner, targets = owner[after], labels[:, 1:][after[:, :-1]]
        student = self._head(model, inputs, after, **options)
        told = self._source.told(TeacherInputs(inputs, after, owner, places))
        device = student.logits.device
        taught = torch.ones_like(targets, dtype=torch.bool) if told.taught is None else told.taught
        rest = (targets, taught, *told.parts)
        chunks = zip(
            torch.split(student.logits, _CHUNK), *(torch.split(one.to(device), _CHUNK) for one in rest), strict=True
        )
        losses = torch.cat([checkpoint(self._losses, *chunk, use_reentrant=False) for chunk in chunks])
        if self._hidden_cosine and told.hidden is not None:
            hidden, theirs = student.hidden.float(), told.hidden.to(student.hidden.device).float()
            losses = losses + self._hidden_cosine * (1 - cosine_similarity(hidden, theirs, dim=-1)).to(device)
        owner = owner.to(device)
        return by_row(losses, torch.ones_like(owner), owner, len(places), student.router)

    def _losses(
        self, logits: torch.Tensor, targets: torch.Tensor, taught: torch.Tensor, *parts: torch.Tensor
    ) -> torch.Tensor:
        """Return the losses of some tokens, without those of hidden states."""
        every = bool(taught.all())
        if self._own == 0 and every:
            return self._scale * self._divergence(*self._source.pair(parts, logits))
        own = cross_entropy(logits.float(), targets, reduction="none")
        if not taught.any():
            return own
        losses = self._scale * self._divergence(*self._source.pair(parts, logits)) + self._own * own
        return losses if every else torch.where(taught, losses, own)
