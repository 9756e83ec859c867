"""The loss of a causal language model on the trained tokens of rows, without a tensor of all logits.

Logits are made for the trained positions alone, some hundred at a time: the output layer is held back while the rest
of the model runs, and applied to chunks of what it would have seen. Models that do more to logits than that layer
(a soft cap, a scale) are recognised and left to make them themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from sage_select.render.tokens import IGNORED, Encoded

__all__ = ["TokenLoss"]

#: float32 logits held at once (256 MB).
_CHUNK_LOGITS: Final = 1 << 26


class TokenLoss:
    """Mean loss per trained token under one model.

    Parameters
    ----------
    model
        A causal language model of transformers, in evaluation mode, on the device to use.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._head = model.get_output_embeddings()
        self._head_is_all: bool | None = None  # not known before the first batch

    @torch.inference_mode()
    def __call__(self, rows: Sequence[Encoded]) -> NDArray[np.float64]:
        """Return the mean loss of each row in nats; NaN where a row has nothing trained.

        Rows are padded on the right and padding is masked, so a row's loss does not depend on the others beyond
        rounding.
        """
        longest = max(len(row.input_ids) for row in rows)
        ids = torch.zeros((len(rows), longest), dtype=torch.long)
        labels = torch.full((len(rows), longest), IGNORED, dtype=torch.long)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for index, row in enumerate(rows):
            length = len(row.input_ids)
            ids[index, :length] = torch.tensor(row.input_ids)
            labels[index, :length] = torch.tensor(row.labels)
            mask[index, :length] = 1
        # The logits at one position predict the next token.
        predicts = torch.zeros_like(mask, dtype=torch.bool)
        predicts[:, :-1] = labels[:, 1:] != IGNORED
        targets = labels[:, 1:][predicts[:, :-1]]
        owners = predicts.nonzero()[:, 0].numpy()
        losses = np.empty(len(targets), np.float64)
        device = self._model.device
        for chunk, logits in self._logits(ids.to(device), mask.to(device), predicts.to(device)):
            loss = torch.nn.functional.cross_entropy(logits.float(), targets[chunk].to(device), reduction="none")
            losses[chunk] = loss.double().cpu().numpy()
        counts = np.bincount(owners, minlength=len(rows))
        sums = np.bincount(owners, weights=losses, minlength=len(rows))
        means = np.full(len(rows), np.nan)
        np.divide(sums, counts, out=means, where=counts > 0)
        return means

    def _logits(
        self, ids: torch.Tensor, mask: torch.Tensor, predicts: torch.Tensor
    ) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield the logits at the positions in `predicts`, in row order, with the slice of positions they cover."""
        if self._head_is_all is not False:
            first, hidden = self._run(ids, mask, lambda states: states[:, :1])
            if self._head_is_all is None:
                self._head_is_all = hidden is not None and torch.equal(first, self._head(hidden[:, :1]))
            if self._head_is_all and hidden is not None:
                states = hidden[predicts]
                for chunk in _chunks(len(states), first.shape[-1]):
                    yield chunk, self._head(states[chunk])
                return
        logits, hidden = self._run(ids, mask, lambda states: states[predicts][None])
        logits = logits[0] if hidden is not None else logits[predicts]
        for chunk in _chunks(len(logits), logits.shape[-1]):
            yield chunk, logits[chunk]

    def _run(self, ids: torch.Tensor, mask: torch.Tensor, select: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Run the model, its output layer on `select(hidden states)` only.

        Returns the logits and the hidden states, or all logits and None where the model has no such layer.
        """
        seen: list[torch.Tensor] = []

        def hold_back(_module: Any, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
            if not args or args[0].shape[:2] != ids.shape:
                return None
            seen.append(args[0])
            return (select(args[0]), *args[1:])

        hook = None if self._head is None else self._head.register_forward_pre_hook(hold_back)
        try:
            logits: torch.Tensor = self._model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        finally:
            if hook is not None:
                hook.remove()
        return logits, seen[0] if seen else None


def _chunks(positions: int, vocabulary: int) -> Iterator[slice]:
    step = max(1, _CHUNK_LOGITS // vocabulary)
    for start in range(0, positions, step):
        yield slice(start, min(start + step, positions))
