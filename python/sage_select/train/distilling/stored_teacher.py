"""A teacher that is not there: what was stored of it, as the loss reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sage_select.train.distilling.examples import examples_of
from sage_select.train.distilling.source import TeacherInputs, TeacherOutputs
from sage_select.train.distilling.stored import StoredRows, open_rows

if TYPE_CHECKING:
    from sage_select.train.data import TrainingRows
    from sage_select.train.methods.distillation import Distillation

__all__ = ["StoredTeacher", "open_stored"]


def open_stored(settings: Distillation, rows: TrainingRows) -> StoredTeacher:
    """Return the teacher that a file holds, which `check_stored` has found to be of these rows."""
    return StoredTeacher(open_rows(settings.teacher_logits or ""), rows, settings.distillation_temperature)


class StoredTeacher:
    """The most likely tokens of a teacher, and one bucket for all others.

    Of the latter it is known how likely they are together, at the temperature in use, so that both distributions are
    exact over the tokens and the bucket: the divergence is at most that of the whole distributions, and the same where
    every token was stored.

    Parameters
    ----------
    stored
        The file.
    rows
        The training examples.
    temperature
        One of the file's.
    """

    def __init__(self, stored: StoredRows, rows: TrainingRows, temperature: float) -> None:
        self._stored, self._temperature = stored, temperature
        self._known = stored.plan.known
        self._tail = stored.plan.temperatures.index(temperature)
        self._examples = [(stored.place(one), one.trained) for one in examples_of(rows)]

    def told(self, asked: TeacherInputs) -> TeacherOutputs:
        """Return ids, log-probabilities and tails of the trained tokens, in their order."""
        order = torch.unique_consecutive(asked.owner).tolist()
        places = asked.places.tolist()
        examples = [self._examples[places[owner]] for owner in order]
        values = [self._nothing(n) if place is None else self._stored.values(place) for place, n in examples]
        ids, log_probs, tails = (np.concatenate(one) for one in zip(*values, strict=True))
        parts = (ids, log_probs, np.ascontiguousarray(tails[:, self._tail]))
        taught = np.repeat([place is not None for place, _ in examples], [n for _, n in examples])
        return TeacherOutputs(
            tuple(torch.from_numpy(one) for one in parts), taught=None if taught.all() else torch.from_numpy(taught)
        )

    def _nothing(self, n: int) -> tuple[np.ndarray[Any, Any], ...]:
        """Return what stands for so many tokens of which nothing was stored: any distribution."""
        k, kinds = self._stored.plan.k, (np.int32, np.float16, np.float32)
        ids = np.broadcast_to(np.arange(k, dtype=kinds[0]), (n, k))
        tails = np.full((n, len(self._stored.plan.temperatures)), 0.5, kinds[2])
        return ids, np.zeros((n, k), kinds[1]), tails

    def pair(self, parts: Sequence[torch.Tensor], logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return both distributions over the stored tokens, and the bucket where there are others."""
        ids, log_probs, tails = parts[0].long(), parts[1].float(), parts[2].float()
        whole = (logits[:, : self._known].float() / self._temperature).log_softmax(-1)
        log_q = whole.gather(1, ids)
        smallest = torch.finfo(torch.float32).tiny
        if ids.shape[1] == self._known:
            return (log_probs / self._temperature).log_softmax(-1), log_q
        tails = tails.clamp(smallest, 1 - torch.finfo(torch.float32).eps)
        # What rounding to 16 bits took from the sum is shared out among the stored tokens.
        log_p = (log_probs / self._temperature).log_softmax(-1) + torch.log1p(-tails)[:, None]
        others = whole.scatter(1, ids, float("-inf")).logsumexp(-1, keepdim=True)
        return torch.cat([log_p, tails.log()[:, None]], dim=1), torch.cat([log_q, others], dim=1)
