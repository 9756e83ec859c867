"""One forward pass of a causal language model that stops at its output layer, where logits are not wanted everywhere.

The output layer is held back while the rest of the model runs, and applied to some of what it would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch

from sage_select.render.tokens import IGNORED, Encoded

__all__ = ["Padded", "held_back", "output_layer_is_all", "padded", "run_held_back"]


class Padded(NamedTuple):
    """Rows of a batch, padded on the right.

    Attributes
    ----------
    ids, mask
        int64 (rows, longest), on the device of the model.
    predicts
        bool (rows, longest), on the CPU: at which positions a trained token is predicted, the one that comes next.
    targets
        int64 (trained,), on the CPU: these tokens, in row order.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    predicts: torch.Tensor
    targets: torch.Tensor


def padded(rows: Sequence[Encoded], device: Any) -> Padded:
    """Return rows as one batch; padding is masked, so that no row depends on the others beyond rounding."""
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
    return Padded(ids.to(device), mask.to(device), predicts, labels[:, 1:][predicts[:, :-1]])


def run_held_back(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, select: Callable[[torch.Tensor], torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Run a model, its output layer on `select(hidden states)` only.

    Returns the logits and the hidden states (rows, longest, width), or all logits and None where the model has no such
    layer.
    """
    with held_back(model, ids, select) as seen:
        logits: torch.Tensor = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return logits, seen[0] if seen else None


@contextmanager
def held_back(
    model: Any, ids: torch.Tensor, select: Callable[[torch.Tensor], torch.Tensor]
) -> Iterator[list[torch.Tensor]]:
    """Let the output layer see `select(hidden states)` only while a model runs on `ids`; yield what it was to see.

    Nothing is in what is yielded if the model has no such layer, or shows it something else: then it makes all logits.
    """
    head = model.get_output_embeddings()
    seen: list[torch.Tensor] = []

    def hold_back(_module: Any, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if not args or args[0].shape[:2] != ids.shape:
            return None
        seen.append(args[0])
        return (select(args[0]), *args[1:])

    hook = None if head is None else head.register_forward_pre_hook(hold_back)
    try:
        yield seen
    finally:
        if hook is not None:
            hook.remove()


def output_layer_is_all(model: Any, logits: torch.Tensor, hidden: torch.Tensor | None) -> bool:
    """Tell whether logits are what the output layer makes of hidden states, and nothing is done to them behind it."""
    return hidden is not None and torch.equal(logits, model.get_output_embeddings()(hidden))
