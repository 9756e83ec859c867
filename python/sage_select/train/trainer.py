"""The trainer: TRL's, fed rows that we tokenised, in the order that we planned, with a loss for each row."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch.utils.data import SequentialSampler
from trl import SFTTrainer

from sage_select.errors import DataError
from sage_select.train.ledger import Ledger
from sage_select.train.optimizers import faster_in_b
from sage_select.train.own_loss import fused_is_own, fused_losses, own_losses, text_only

__all__ = ["OrderedTrainer"]


class OrderedTrainer(SFTTrainer):  # type: ignore[misc]
    """Trains rows strictly in order and writes each into the ledger as it is consumed.

    The loss of a step is sum over rows of weight * sum of the row's token losses, divided by the trained tokens of
    the step, whatever the batch size and accumulation; at weight 1 it is TRL's own. A mixture of experts adds its
    router's loss, the mean over the step's forward passes, as its configuration weighs it. Token losses are those of
    the model's own logits: made by TRL's output layer where that gives the same, else by the model.

    Parameters
    ----------
    ledger
        Receives the rows, losses and tokens of each forward pass.
    b_ratio
        The rate of the adapter's B matrices in rates of all else; None: the same.
    """

    def __init__(self, *, ledger: Ledger, b_ratio: float | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._b_ratio = b_ratio
        self._ledger = ledger
        base = self.model.get_base_model()
        fused = fused_is_own(self.model, self.train_dataset[0]["input_ids"])
        self._losses = fused_losses if fused else own_losses
        self._router_options = {"output_router_logits": True} if self.aux_loss_enabled else {}
        self._text_only = partial(text_only, base)
        # Our loss takes the token count of the whole step, also where the model's own forward would not.
        self.model_accepts_loss_kwargs = True
        sampler = self._get_train_sampler()
        if not isinstance(sampler, SequentialSampler):
            raise TypeError(f"rows would be consumed by {type(sampler).__name__}, not in order")

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write no model card: the checkpoints are not for publishing."""

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Return the library's optimizer, its B matrices at a rate of their own where one is asked for."""
        made = self.optimizer is None
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)
        if made and self._b_ratio is not None:
            faster_in_b(optimizer, (self.model if model is None else model).named_parameters, self._b_ratio)
        return optimizer

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,  # noqa: ARG002 (the signature is the library's)
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        """Return the loss of one forward pass and note its rows.

        Raises
        ------
        DataError
            If a loss is NaN or infinite; the weights have not been touched by it.
        """
        places = inputs.pop("place").tolist()
        weights = inputs.pop("weight")
        inputs |= self._text_only(inputs["input_ids"])
        rows = self._losses(model, inputs, **self._router_options)
        losses = (rows.sums.detach() / rows.tokens).tolist()
        self._ledger.add(places, losses, rows.tokens.tolist())
        loss: torch.Tensor = (rows.sums * weights).sum() / num_items_in_batch
        if self.aux_loss_enabled and rows.router is not None:
            loss = loss + self.router_aux_loss_coef * rows.router / self.current_gradient_accumulation_steps
        if not torch.isfinite(loss):
            faulty = [
                f"{row_id} {value}"
                for row_id, value in zip(self._ledger.ids(places), losses, strict=True)
                if not math.isfinite(value)
            ]
            raise DataError(
                f"training diverged: the loss became {loss.item()} at step {self.state.global_step + 1}",
                got=f"rows {', '.join(faulty)}",
                hint="lower --learning-rate, lengthen --warmup or use --fp32 or --bf16; "
                "the checkpoints before it are kept",
            )
        return loss
