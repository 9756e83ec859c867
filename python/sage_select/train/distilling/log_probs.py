"""The most likely tokens of a model after some examples, as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from sage_select.errors import DataError
from sage_select.render.tokens import IGNORED
from sage_select.train.distilling.examples import TokenisedExample
from sage_select.train.distilling.head import Head
from sage_select.train.distilling.stored import StoredPlan, schema_of
from sage_select.train.own_loss import text_only

__all__ = ["LogProbs", "Said", "batch_of", "lists_of", "top_tokens"]

#: Of the n trained tokens of an example the ids (int32) and log-probabilities (float16) of the most likely tokens, both
#: (n, k), and the probability of all others, float32 (n, temperatures).
Said = tuple[NDArray[Any], ...]
#: Trained tokens whose logits are held in float32 at a time.
_CHUNK: Final = 1024


def top_tokens(
    logits: torch.Tensor, k: int, temperatures: Sequence[float]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the k most likely tokens (int64), the logarithms of their probabilities, and how likely all others are.

    Parameters
    ----------
    logits
        Float32 (n, vocabulary).
    temperatures
        At which the latter is said, a column each; the logarithms are at 1.
    """
    top, ids = logits.topk(k, dim=-1)
    log_probs = top - logits.logsumexp(-1, keepdim=True)
    others = logits.scatter(1, ids, float("-inf"))
    # Of the others themselves, not what the stored ones leave of 1: that would be rounding alone where they are few.
    tails = [((others / one).logsumexp(-1) - (logits / one).logsumexp(-1)).exp() for one in temperatures]
    return ids, log_probs, torch.stack(tails, dim=1)


class LogProbs:
    """Asks a model.

    Parameters
    ----------
    model
        In evaluation mode.
    row
        Token ids, with which it is tried.
    k, temperatures
        As `top_tokens` takes them.
    known
        Tokens that the tokenizer knows: the probabilities are over these.
    batch_size
        Examples in one forward pass.
    """

    def __init__(
        self, model: Any, row: Sequence[int], *, k: int, known: int, temperatures: Sequence[float], batch_size: int
    ) -> None:
        self._model, self._head = model, Head(model, row)
        self._base = model.get_base_model()
        self._k, self._known, self._temperatures, self._batch_size = k, known, temperatures, batch_size

    def __call__(self, examples: Sequence[TokenisedExample]) -> list[Said]:
        """Return what the model says of some examples, in their order; those of like length are asked about together.

        Raises
        ------
        DataError
            If the model says something that is no number.
        """
        order = sorted(range(len(examples)), key=lambda place: (len(examples[place].ids), place))
        said: dict[int, Said] = {}
        for begin in range(0, len(order), self._batch_size):
            places = order[begin : begin + self._batch_size]
            said |= zip(places, self._said([examples[place] for place in places]), strict=True)
        return [said[place] for place in range(len(examples))]

    def _said(self, examples: Sequence[TokenisedExample]) -> list[Said]:
        shape = len(examples), max(len(one.ids) for one in examples)
        ids, mask = torch.zeros(shape, dtype=torch.int64), torch.zeros(shape, dtype=torch.int64)
        asked = torch.zeros(shape, dtype=torch.bool)
        for number, one in enumerate(examples):
            ids[number, : len(one.ids)] = torch.from_numpy(one.ids.astype(np.int64))
            mask[number, : len(one.ids)] = 1
            asked[number, : len(one.ids) - 1] = torch.from_numpy(one.labels[1:] != IGNORED)
        device = self._base.device
        inputs = {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
        inputs |= text_only(self._base, inputs["input_ids"])
        with torch.no_grad():
            logits = self._head(self._model, inputs, asked.to(device)).logits[:, : self._known]
            chunks = [top_tokens(chunk.float(), self._k, self._temperatures) for chunk in torch.split(logits, _CHUNK)]
        tokens, log_probs, tails = (torch.cat(one).cpu() for one in zip(*chunks, strict=True))
        if not (log_probs.isfinite().all() and tails.isfinite().all()):
            raise DataError(
                "the model says something that is no number",
                where=", ".join(repr(one.row_id) for one in examples),
                hint="compute in another precision: --fp32 or --bf16",
            )
        columns = (tokens.to(torch.int32), log_probs.to(torch.float16), tails)
        bounds = np.cumsum([0, *(one.trained for one in examples)]).tolist()
        return [tuple(column[start:stop].numpy() for column in columns) for start, stop in pairwise(bounds)]


def batch_of(examples: Sequence[TokenisedExample], said: Sequence[Said], plan: StoredPlan) -> pa.RecordBatch:
    """Return what a file of teacher logits holds of some examples."""
    arrays = [
        pa.array([one.row_id for one in examples], pa.string()),
        pa.array([one.number for one in examples], pa.int32()),
        pa.array([one.digest for one in examples], pa.binary(16)),
        *(lists_of([part[column] for part in said]) for column in range(3)),
    ]
    return pa.record_batch(arrays, schema=schema_of(plan))


def lists_of(parts: Sequence[NDArray[Any]]) -> pa.LargeListArray:
    """Return the numbers of each part as a list."""
    bounds = np.cumsum([0, *(part.size for part in parts)])
    return pa.LargeListArray.from_arrays(pa.array(bounds, pa.int64()), pa.array(np.concatenate(parts).ravel()))
