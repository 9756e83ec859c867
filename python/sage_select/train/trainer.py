"""The trainer: TRL's, fed the steps of a schedule, with a loss for each row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import cached_property, partial
from itertools import islice
from operator import itemgetter
from typing import Any

import torch
from torch.utils.data import DataLoader, SequentialSampler
from trl import SFTTrainer

from sage_select.errors import DataError
from sage_select.train.ledger import Ledger
from sage_select.train.optimizers import faster_in_b
from sage_select.train.own_loss import Objective, RowLosses, plain_objective, text_only
from sage_select.train.processes import ALONE, Processes

__all__ = ["OrderedTrainer"]


class OrderedTrainer(SFTTrainer):  # type: ignore[misc]
    """Takes one step after the other, each with all of its forward passes, and writes its rows into the ledger.

    The loss of a step is sum over rows of weight * sum of the row's token losses, divided by the trained tokens of
    the step, whatever its forward passes; under `sft` and at weight 1 it is TRL's own. A mixture of experts adds its
    router's loss, the mean over the step's forward passes, as its configuration weighs it. Token losses are those of
    the training method.

    To the library a step is one batch of one item without accumulation: it neither counts rows nor shares them out.

    Parameters
    ----------
    ledger
        Receives the rows of each step, with their losses and tokens.
    objective
        Function from the model, as the trainer holds it, to what the training method makes of a forward pass.
    row
        Token ids, with which the model is tried where rows are evaluated.
    b_ratio
        The rate of the adapter's B matrices in rates of all else; None: the same.
    processes
        Those that share the forward passes of each step.
    due
        Makes the batch of a step, from 0, when it is due; None: the loader makes all of them, some in advance.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        objective: Callable[[Any], Objective],
        row: Sequence[int],
        b_ratio: float | None = None,
        processes: Processes = ALONE,
        due: Callable[[int], dict[str, Any]] | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self._due = due
        self._processes = processes
        self._b_ratio = b_ratio
        self._ledger = ledger
        base = self.model.get_base_model()
        self._row = row
        self._losses = objective(self.model)
        self._router_options = {"output_router_logits": True} if self.aux_loss_enabled else {}
        self._text_only = partial(text_only, base)
        self._done: list[tuple[torch.Tensor, ...]] = []
        self._adds = True
        self._flops_per_token = 6 * base.num_parameters(exclude_embeddings=True)
        # Our loss takes the token count of the whole step, also where the model's own forward would not.
        self.model_accepts_loss_kwargs = True
        sampler = self._get_train_sampler()
        if not isinstance(sampler, SequentialSampler):
            raise TypeError(f"rows would be consumed by {type(sampler).__name__}, not in order")

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return the steps: all of them in each process, which the library would share out."""
        if self._processes.count == 1:
            return super().get_train_dataloader()  # type: ignore[no-any-return]
        return DataLoader(
            self.train_dataset,
            batch_size=1,
            sampler=SequentialSampler(self.train_dataset),
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
        )

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], Any]:
        """Return the batch of the next step, and its trained tokens; where steps are decided when due, this one is."""
        if self._due is None:
            return super().get_batch_samples(epoch_iterator, num_batches, device)  # type: ignore[no-any-return]
        batches = [self._due(int(one["step"])) for one in islice(epoch_iterator, num_batches)]
        return batches, self._get_num_items_in_batch(batches, device)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write no model card: the checkpoints are not for publishing."""

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Return the library's optimizer, its B matrices at a rate of their own where one is asked for."""
        made = self.optimizer is None
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)
        if made and self._b_ratio is not None:
            faster_in_b(optimizer, (self.model if model is None else model).named_parameters, self._b_ratio)
        return optimizer

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """Take the state of a checkpoint over, but for rates and weight decay: those are what the settings say now."""
        # All schedules of the rate that there are here are functions of the step.
        scheduler: Any = getattr(self.lr_scheduler, "scheduler", self.lr_scheduler)
        bases = list(scheduler.base_lrs)
        own = [{name: group[name] for name in ("initial_lr", "weight_decay")} for group in self.optimizer.param_groups]
        super()._load_optimizer_and_scheduler(checkpoint)
        scheduler.base_lrs = bases
        rates = [base * share(scheduler.last_epoch) for base, share in zip(bases, scheduler.lr_lambdas, strict=True)]
        for group, values, rate in zip(self.optimizer.param_groups, own, rates, strict=True):
            group.update(values, lr=rate)

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Return the loss of one step, whose gradients are there then, and note its rows.

        Raises
        ------
        DataError
            If a loss is NaN or infinite; the weights have not been touched by it.
        """
        passes = self._processes.share(inputs["passes"])
        self._done = []
        # The part that the router's loss of each pass has in that of the step.
        self.current_gradient_accumulation_steps = len(inputs["passes"])
        losses = []
        # Where there are fewer than processes, this one only takes part in adding up gradients.
        self._adds = bool(passes)
        for number, one in enumerate(passes or inputs["passes"][-1:], start=1):
            with nullcontext() if number >= len(passes) else self.accelerator.no_sync(model=model):
                losses.append(super().training_step(model, one, num_items_in_batch))
        if not self._adds:
            self._done = []
        loss: torch.Tensor = torch.stack(losses).sum()
        self._note(loss)
        return loss

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,  # noqa: ARG002 (the signature is the library's)
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        """Return what one forward pass adds to the loss of its step."""
        place, slot, weight = (inputs.pop(name) for name in ("place", "slot", "weight"))
        inputs |= self._text_only(inputs["input_ids"])
        rows = self._losses(model, inputs, place, **self._router_options)
        sums = rows.sums.detach()
        entropies = torch.full_like(sums, math.nan) if rows.entropies is None else rows.entropies
        self._done.append((slot, place, sums / rows.tokens, rows.tokens, entropies / rows.tokens))
        loss: torch.Tensor = (rows.sums * weight).sum() / num_items_in_batch
        if self.aux_loss_enabled and rows.router is not None:
            loss = loss + self.router_aux_loss_coef * rows.router / self.current_gradient_accumulation_steps
        # Gradients of several processes are averaged, and are to be added up.
        return loss * (self._processes.count if self._adds else 0) if self._processes.count > 1 else loss

    def row_losses(self, model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> RowLosses:
        """Return the losses of the rows of one forward pass, the model's own under any method, and note nothing."""
        inputs = self._prepare_inputs(inputs)
        places = inputs["place"]
        inputs = {name: one for name, one in inputs.items() if name not in ("place", "slot", "weight")}
        with self.compute_loss_context_manager():
            return self._plain(model, {**inputs, **self._text_only(inputs["input_ids"])}, places)

    @cached_property
    def _plain(self) -> Objective:
        return plain_objective(self.model, self._row)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Return about how many a step took, by the library's rule, which counts the parameters anew each time."""
        tokens = sum(one["input_ids"].numel() for one in inputs["passes"])
        return int(self._flops_per_token * tokens)

    def _note(self, loss: torch.Tensor) -> None:
        """Note the rows of a step in the order of the schedule, wherever in its passes they lay."""
        columns = [torch.cat(parts).tolist() for parts in zip(*self._done, strict=True)]
        # In the order of the schedule, by the slot alone, which each row of a step has for itself.
        own = list(zip(*columns, strict=True))
        noted = sorted(self._processes.gathered(own), key=itemgetter(0))
        _, places, losses, tokens, entropies = zip(*noted, strict=True)
        self._ledger.add(places, losses, tokens, [one if math.isfinite(one) else None for one in entropies])
        if self._processes.any(not math.isfinite(loss.item())):
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

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor:
        """Return the trained tokens of the step, which is the one batch."""
        trained = [(one["labels"][:, 1:] != -100).sum() for batch in batch_samples for one in batch["passes"]]
        return torch.stack(trained).sum().to(device)
