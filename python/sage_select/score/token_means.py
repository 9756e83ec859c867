"""What a causal language model says of the trained tokens of rows, without a tensor of all logits.

Logits are made for the trained positions alone, some hundred at a time: the output layer is held back
(`sage_select.score.forward`) and applied to chunks of what it would have seen. Models that do more to logits than that
layer (a soft cap, a scale) are recognised and left to make them themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from sage_select.render.tokens import Encoded
from sage_select.score.forward import output_layer_is_all, padded, run_held_back

__all__ = ["FIGURES", "TokenMeans"]

#: float32 logits held at once (128 MB); their log-probabilities and probabilities are as large.
_CHUNK_LOGITS: Final = 1 << 25
#: What is found at each trained token, in this order.
FIGURES: Final = ("loss", "entropy", "el2n")


class TokenMeans:
    """Means over the trained tokens of a row under one model.

    Parameters
    ----------
    model
        A causal language model of transformers, in evaluation mode, on the device to use.
    only_loss
        Whether the loss alone is wanted.
    """

    def __init__(self, model: Any, *, only_loss: bool = False) -> None:
        self._model = model
        self._figures = 1 if only_loss else len(FIGURES)
        self._head = model.get_output_embeddings()
        self._head_is_all: bool | None = None  # not known before the first batch

    @torch.inference_mode()
    def __call__(self, rows: Sequence[Encoded]) -> NDArray[np.float64]:
        """Return the means of each row, (rows, figures) as `FIGURES` has them; NaN where a row has nothing trained.

        With p the model's distribution at the place of a trained token y: the loss is -log p(y) and the entropy
        -sum p log p, both in nats, and the error norm el2n is the length of p - onehot(y), from 0 to the root of 2.

        Rows are padded on the right and padding is masked, so a row's figures do not depend on the others beyond
        rounding.
        """
        batch = padded(rows, self._model.device)
        predicts, targets = batch.predicts, batch.targets
        owners = predicts.nonzero()[:, 0].numpy()
        found = np.empty((self._figures, len(targets)), np.float64)
        device = self._model.device
        for chunk, logits in self._logits(batch.ids, batch.mask, predicts.to(device)):
            found[:, chunk] = self._of(logits.float(), targets[chunk].to(device)).double().cpu().numpy()
        counts = np.bincount(owners, minlength=len(rows))
        means = np.full((len(rows), self._figures), np.nan)
        for figure, values in enumerate(found):
            sums = np.bincount(owners, weights=values, minlength=len(rows))
            np.divide(sums, counts, out=means[:, figure], where=counts > 0)
        return means

    def _of(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the figures at some positions, (figures, positions), of logits (positions, vocabulary)."""
        log_p = logits.log_softmax(-1)
        losses = -log_p.gather(-1, targets[:, None])[:, 0]
        if self._figures == 1:
            return losses[None]
        p = log_p.exp()
        # Where a token is impossible its logarithm is infinite, and its part of the entropy nothing.
        entropies = -torch.linalg.vecdot(p, log_p.clamp_(min=torch.finfo(log_p.dtype).min))
        p[torch.arange(len(targets), device=p.device), targets] -= 1
        return torch.stack([losses, entropies, torch.linalg.vector_norm(p, dim=-1)])

    def _logits(
        self, ids: torch.Tensor, mask: torch.Tensor, predicts: torch.Tensor
    ) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield the logits at the positions in `predicts`, in row order, with the slice of positions they cover."""
        if self._head_is_all is not False:
            first, hidden = run_held_back(self._model, ids, mask, lambda states: states[:, :1])
            if self._head_is_all is None:
                self._head_is_all = output_layer_is_all(self._model, first, None if hidden is None else hidden[:, :1])
            if self._head_is_all and hidden is not None:
                states = hidden[predicts]
                for chunk in _chunks(len(states), first.shape[-1]):
                    yield chunk, self._head(states[chunk])
                return
        logits, hidden = run_held_back(self._model, ids, mask, lambda states: states[predicts][None])
        logits = logits[0] if hidden is not None else logits[predicts]
        for chunk in _chunks(len(logits), logits.shape[-1]):
            yield chunk, logits[chunk]


def _chunks(positions: int, vocabulary: int) -> Iterator[slice]:
    step = max(1, _CHUNK_LOGITS // vocabulary)
    for start in range(0, positions, step):
        yield slice(start, min(start + step, positions))
