"""The loss that a model itself gives, row by row, and the proof that a model can be trained on it.

TRL's output layer makes the losses of the trained tokens without a tensor of all logits, from the hidden states and the
weight of the last layer. Models whose output does more than that (a soft cap, a transformation) would be trained on
another loss than their own; a few tokens through both show which they are.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import torch

from sage_select.errors import UsageError
from sage_select.render.tokens import IGNORED

__all__ = [
    "ROUNDING",
    "Objective",
    "RowLosses",
    "alone",
    "as_in_use",
    "by_row",
    "check_trainable",
    "fused_is_own",
    "fused_losses",
    "own_losses",
    "plain_objective",
    "text_only",
]

#: Tokens of the row with which a model is tried.
_TRIED_TOKENS: Final = 16
#: How far rounding may take the mean loss apart, in float32 (True) and in fewer bits.
_ROUNDING: Final = {True: 3e-6, False: 2e-2}
#: Share of the largest logit by which two ways of computing logits may differ.
ROUNDING: Final = {True: 1e-4, False: 2e-2}
#: Share of the largest logit by which words change that see what follows.
_SEEN: Final = {True: 1e-3, False: 5e-2}


@dataclass(frozen=True)
class RowLosses:
    """Losses of one forward pass.

    Parameters
    ----------
    sums
        Sum of the losses of each row's trained tokens, in nats.
    tokens
        Trained tokens of each row.
    router
        The loss of a mixture of experts that balances its experts; None where the model has none.
    entropies
        Sum of the entropies, in nats, of what the model expects at each row's trained tokens; None where only a second
        pass over the logits would tell.
    """

    sums: torch.Tensor
    tokens: torch.Tensor
    router: torch.Tensor | None
    entropies: torch.Tensor | None = None


class Objective(Protocol):
    """What a training method makes of one forward pass."""

    def __call__(self, model: Any, inputs: dict[str, torch.Tensor], places: torch.Tensor, **options: Any) -> RowLosses:
        """Return the losses of the rows of a pass.

        Parameters
        ----------
        model
            As the trainer holds it; its forward pass is to be called with `use_cache=False`.
        inputs
            Those of the model, `labels` (-100 where not trained), and `owner`: int64 of their shape, the number within
            the pass of the row that each token is of.
        places
            int64 (rows,): where each of them stands among the training examples.
        options
            What else the forward pass is told.
        """


def plain_objective(model: Any, row: Sequence[int]) -> Objective:
    """Return the negative log-likelihood of the trained tokens, by TRL's output layer where that is the model's own."""
    losses = fused_losses if fused_is_own(model, row) else own_losses
    return lambda model, inputs, places, **options: losses(model, inputs, len(places), **options)


def fused_losses(model: Any, inputs: dict[str, torch.Tensor], rows: int, **options: Any) -> RowLosses:
    """Return the losses of so many rows by TRL's output layer; `model` must have been given it.

    Parameters
    ----------
    inputs
        Those of the model, `labels`, and `owner`: int64 of their shape, the number of the row that each token is of.
    """
    inputs = dict(inputs)
    owner = inputs.pop("owner")[:, 1:].flatten()
    outputs = model(**inputs, use_cache=False, fused_lm_head=True, **options)
    losses, trained = -outputs.log_probs.flatten(), outputs.label_mask.flatten()
    found = by_row(losses, trained.long(), owner.to(losses.device), rows, outputs.aux_loss)
    if outputs.entropy is None:
        return found
    entropies = outputs.entropy.detach().flatten()
    return replace(found, entropies=entropies.new_zeros(rows).index_add(0, owner.to(entropies.device), entropies))


def own_losses(model: Any, inputs: dict[str, torch.Tensor], rows: int, **options: Any) -> RowLosses:
    """Return the losses of so many rows by the model's own logits, made in float32 for the trained tokens alone.

    Parameters
    ----------
    inputs
        As `fused_losses` takes them.
    """
    inputs = dict(inputs)
    owner = inputs.pop("owner")[:, 1:]
    targets = inputs.pop("labels")[:, 1:]
    outputs = model(**inputs, use_cache=False, **options)
    trained = targets != IGNORED
    logits = outputs.logits[:, : targets.shape[1]][trained].float()
    losses = torch.nn.functional.cross_entropy(logits, targets[trained].to(logits.device), reduction="none")
    owner = owner[trained].to(losses.device)
    return by_row(losses, torch.ones_like(owner), owner, rows, getattr(outputs, "aux_loss", None))


def by_row(
    losses: torch.Tensor, trained: torch.Tensor, owner: torch.Tensor, rows: int, router: torch.Tensor | None
) -> RowLosses:
    """Add up the losses of tokens, and those that are trained, by the rows that they are of.

    Parameters
    ----------
    losses, trained, owner
        One a token: its loss, 1 where it is trained, and the number of its row.
    """
    sums = losses.new_zeros(rows).index_add(0, owner, losses)
    return RowLosses(sums, trained.new_zeros(rows).index_add(0, owner, trained), router)


def text_only(model: Any, input_ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return what a model of text and images wants to be told besides: that every token is text."""
    if model.config.get_text_config() is model.config:
        return {}
    known = inspect.signature(type(model).forward).parameters
    names = [name for name in ("token_type_ids", "mm_token_type_ids") if name in known]
    return {name: torch.zeros_like(input_ids) for name in names}


def check_trainable(model: Any, row: Sequence[int]) -> None:
    """Try a model with the first tokens of a row: it must not see what it is to predict, and have gradients.

    Neither its weights nor the state of the random numbers is changed.

    Parameters
    ----------
    model
        A PEFT model.
    row
        Token ids.

    Raises
    ------
    UsageError
        The model cannot be trained as a causal language model, or not with this adapter.
    """
    base = model.get_base_model()
    ids = _tried(row, base.device)
    other = ids.clone()
    other[0, -1] = (int(ids[0, -1]) + 1) % base.get_input_embeddings().weight.shape[0]
    name = type(base).__name__
    with as_in_use(model):
        try:
            with torch.no_grad():
                first, second = (_logits(model, tokens) for tokens in (ids, other))
            model.train()
            inputs = alone(base, ids)
            torch.autograd.backward(own_losses(model, inputs, 1).sums.sum())
            taught = [weight for weight in model.parameters() if weight.requires_grad and weight.grad is not None]
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            said = str(error).strip().partition("\n")[0]
            raise UsageError(
                f"{name} cannot be trained here",
                got=f"{type(error).__name__}: {said}",
                hint="name fewer layers as targets of the adapter, or choose another model",
            ) from None
        finally:
            model.zero_grad(set_to_none=True)
    # Every earlier word knows of a change, where words see what follows; by rounding (experts that are chosen by a
    # hair) only few of them would.
    changed = (first - second)[0, :-1].abs().amax(dim=1).median().item()
    if changed > _SEEN[base.dtype == torch.float32] * max(1.0, first.abs().max().item()):
        raise UsageError(
            f"{name} sees the words that it is to predict, so it would learn nothing by them",
            expected="a causal language model",
            hint="choose another model, or a decoder's configuration of this one (is_decoder)",
        )
    if not taught:
        raise UsageError(f"no gradient reaches the adapter of {name}", hint="name other layers as its targets")


def fused_is_own(model: Any, row: Sequence[int]) -> bool:
    """Say whether TRL's output layer gives the losses that the model's own logits give, for a row's first tokens."""
    base = model.get_base_model()
    ids = _tried(row, base.device)
    inputs = alone(base, ids)
    with as_in_use(model), torch.no_grad():
        own = own_losses(model, inputs, 1).sums
        try:
            fused = fused_losses(model, inputs, 1).sums
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception:
            return False
        difference = (own - fused.to(own.device)).abs().max().item() / max(1, ids.shape[1] - 1)
    return difference <= _ROUNDING[base.dtype == torch.float32] * max(1.0, own.max().item() / ids.shape[1])


def _tried(row: Sequence[int], device: torch.device) -> torch.Tensor:
    tokens = [int(token) for token in row[:_TRIED_TOKENS]]
    return torch.tensor([tokens if len(tokens) > 2 else tokens * 3], device=device)


def alone(base: Any, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the inputs of one row, all of which is trained; `base` is the model without an adapter."""
    seen = {"attention_mask": torch.ones_like(ids), "owner": torch.zeros_like(ids), **text_only(base, ids)}
    return {"input_ids": ids, "labels": ids, **seen}


def _logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    extra = text_only(model.get_base_model(), ids)
    logits: torch.Tensor = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **extra).logits
    return logits.float()


@contextmanager
def as_in_use(model: Any) -> Iterator[None]:
    """Leave the mode of the model and the state of the random numbers as they are."""
    training = model.training
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        model.eval()
        try:
            yield
        finally:
            model.train(training)
