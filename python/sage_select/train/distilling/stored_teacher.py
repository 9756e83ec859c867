"""A teacher that is not there: what was stored of it, as the loss reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from sage_select.train.distilling.examples import examples_of
from sage_select.train.distilling.source import TeacherInputs, TeacherOutputs
from sage_select.train.distilling.stored import open_rows

if TYPE_CHECKING:
    from sage_select.train.data import TrainingRows
    from sage_select.train.methods.distillation import Distillation

__all__ = ["StoredTeacher", "Values", "open_stored"]

#: Ids, log-probabilities and the probability of all others, as `StoredTeacher` takes them.
Values = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def open_stored(settings: Distillation, rows: TrainingRows) -> StoredTeacher:
    """Return the teacher that a file holds, which `check_stored` has found to be of these rows."""
    stored, temperature = open_rows(settings.teacher_logits or ""), settings.distillation_temperature
    tail = stored.plan.temperatures.index(temperature)
    examples = [(stored.place(one), one.trained) for one in examples_of(rows)]

    def said(number: int) -> Values | None:
        place, _ = examples[number]
        if place is None:
            return None
        ids, log_probs, tails = stored.values(place)
        return ids, log_probs, tails[:, tail]

    return StoredTeacher(said, [trained for _, trained in examples], known=stored.plan.known, temperature=temperature)


class StoredTeacher:
    """The most likely tokens of a teacher, and one bucket for all others.

    Of the latter it is known how likely they are together, at the temperature in use, so that both distributions are
    exact over the tokens and the bucket: the divergence is at most that of the whole distributions, and the same where
    every token was stored.

    Parameters
    ----------
    said
        Returns what was stored of an example, by its place: of its n trained tokens ids and log-probabilities, (n, k),
        and how likely all others are, (n,); None where nothing was. Under forward KL alone k may differ.
    trained
        Trained tokens of each example.
    known
        Tokens of the vocabulary.
    temperature
        That of the probabilities of all others.
    """

    def __init__(
        self, said: Callable[[int], Values | None], trained: Sequence[int], *, known: int, temperature: float
    ) -> None:
        self._said, self._trained = said, trained
        self._known, self._temperature = known, temperature

    def told(self, asked: TeacherInputs) -> TeacherOutputs:
        """Return ids, log-probabilities and tails of the trained tokens, in their order."""
        places = asked.places.tolist()
        examples = [places[owner] for owner in torch.unique_consecutive(asked.owner).tolist()]
        said = [self._said(place) for place in examples]
        trained = [self._trained[place] for place in examples]
        width = max((one[0].shape[1] for one in said if one is not None), default=1)
        parts = [
            _nothing(n, width) if one is None else _widened(one, width) for one, n in zip(said, trained, strict=True)
        ]
        taught = np.repeat([one is not None for one in said], trained)
        return TeacherOutputs(
            tuple(torch.from_numpy(np.concatenate(one)) for one in zip(*parts, strict=True)),
            taught=None if taught.all() else torch.from_numpy(taught),
        )

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


def _nothing(n: int, width: int) -> Values:
    """Return what stands for so many tokens of which nothing was stored: any distribution."""
    ids = np.broadcast_to(np.arange(width, dtype=np.int32), (n, width))
    return ids, np.zeros((n, width), np.float16), np.full(n, 0.5, np.float32)


def _widened(said: Values, width: int) -> Values:
    """Return the same with tokens of no probability behind those that were stored, as often as is missing."""
    ids, log_probs, tails = said
    missing = width - ids.shape[1]
    if not missing:
        return said
    return (
        np.concatenate([ids, np.repeat(ids[:, :1], missing, axis=1)], axis=1),
        np.concatenate([log_probs, np.full((len(ids), missing), -np.inf, np.float16)], axis=1),
        tails,
    )
