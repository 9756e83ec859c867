"""The trainer: TRL's, fed rows that we tokenised, in the order that we planned, with a loss for each row."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.utils.data import SequentialSampler
from trl import SFTTrainer

from sage_select.errors import DataError
from sage_select.train.ledger import Ledger

__all__ = ["OrderedTrainer"]


class OrderedTrainer(SFTTrainer):  # type: ignore[misc]
    """Trains rows strictly in order and writes each into the ledger as it is consumed.

    The loss of a step is sum over rows of weight * sum of the row's token losses, divided by the trained tokens of
    the step, whatever the batch size and accumulation; at weight 1 it is TRL's own.

    Parameters
    ----------
    ledger
        Receives the rows, losses and tokens of each forward pass.
    """

    def __init__(self, *, ledger: Ledger, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._ledger = ledger
        # Our loss takes the token count of the whole step, also where the model's own forward would not.
        self.model_accepts_loss_kwargs = True
        sampler = self._get_train_sampler()
        if not isinstance(sampler, SequentialSampler):
            raise TypeError(f"rows would be consumed by {type(sampler).__name__}, not in order")

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write no model card: the checkpoints are not for publishing."""

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,  # noqa: ARG002 (the signature is the library's)
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Return the loss of one forward pass and note its rows.

        Raises
        ------
        DataError
            If a loss is NaN or infinite; the weights have not been touched by it.
        """
        places = inputs.pop("place").tolist()
        weights = inputs.pop("weight")
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        row_losses = -outputs.log_probs.sum(dim=1)
        row_tokens = outputs.label_mask.sum(dim=1)
        losses = (row_losses.detach() / row_tokens).tolist()
        self._ledger.add(places, losses, row_tokens.tolist())
        loss: torch.Tensor = (row_losses * weights).sum() / num_items_in_batch
        if not torch.isfinite(loss):
            rows = [
                f"{row_id} {value}"
                for row_id, value in zip(self._ledger.ids(places), losses, strict=True)
                if not math.isfinite(value)
            ]
            raise DataError(
                f"training diverged: the loss became {loss.item()} at step {self.state.global_step + 1}",
                got=f"rows {', '.join(rows)}",
                hint="lower --learning-rate, lengthen --warmup or use --fp32 or --bf16; "
                "the checkpoints before it are kept",
            )
        return loss
