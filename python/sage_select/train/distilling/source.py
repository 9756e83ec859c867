"""What is known of a teacher at the trained tokens of a forward pass, wherever it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

__all__ = ["Source", "TeacherInputs", "TeacherOutputs"]


@dataclass(frozen=True)
class TeacherInputs:
    """The trained tokens of a forward pass.

    Parameters
    ----------
    inputs
        Those of the model.
    after
        bool, of their shape: the tokens after which a trained one comes.
    owner
        int64, one for each trained token: the number within the pass of the example that it is of; those of one example
        follow each other.
    places
        int64, one for each example: where it stands among the training examples.
    """

    inputs: dict[str, torch.Tensor]
    after: torch.Tensor
    owner: torch.Tensor
    places: torch.Tensor


@dataclass(frozen=True)
class TeacherOutputs:
    """What a teacher says of them.

    Parameters
    ----------
    parts
        Tensors with a row for each trained token, as `Source.pair` takes them.
    hidden
        (n, width): what enters the output layer of the teacher; None where that is not known.
    taught
        bool (n,): whether the teacher was asked about the token; None where it was about all. Of others the parts are
        those of some distribution, which is not looked at.
    """

    parts: tuple[torch.Tensor, ...]
    hidden: torch.Tensor | None = None
    taught: torch.Tensor | None = None


class Source(Protocol):
    """A teacher."""

    def told(self, asked: TeacherInputs) -> TeacherOutputs:
        """Return what the teacher says of the trained tokens of a forward pass."""

    def pair(self, parts: Sequence[torch.Tensor], logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logarithms of the probabilities of teacher and student, over the same things, float32 (n, m).

        Parameters
        ----------
        parts
            Of `TeacherOutputs`, for some of the tokens.
        logits
            The student's logits for these, (n, vocabulary).
        """
