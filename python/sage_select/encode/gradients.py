"""Vectors of rows from the gradients of their losses under a causal language model, by random projection.

LESS (Xia et al. 2024, arXiv 2402.04333) compares rows by projected gradients of LoRA weights: a row is worth training
on for a target where both push the weights the same way. Left out of it here: the preconditioning by Adam's moments,
which belong to a run, and the sum over checkpoints of one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sage_select.encode.signs import Signs, projected
from sage_select.errors import UsageError
from sage_select.render.tokens import Encoded
from sage_select.score.forward import Padded, output_layer_is_all, padded, run_held_back

__all__ = ["GradientOf", "LastLayerGradients", "LoraGradients"]

GradientOf = Literal["last_layer", "lora"]

#: float32 logits held at once (128 MB); their probabilities are as large.
_CHUNK_LOGITS: Final = 1 << 25
#: The rank of a LoRA where no adapter is given.
_RANK: Final = 8


@dataclass(frozen=True)
class LastLayerGradients:
    """A rule for `embed_examples`: the gradient of the mean token loss by the weights of the output layer.

    It is (1/n) sum_t (p_t - onehot(y_t)) h_t' over the n trained tokens y_t of a row, with p_t the model's distribution
    and h_t what the output layer sees: a forward pass gives it. Of tied embeddings it is the part of the output layer.

    Parameters
    ----------
    dimensions
        The width of the vectors.
    """

    dimensions: int
    trained_only: bool = True

    def identity(self) -> Mapping[str, Any]:
        """Return the width."""
        return {"rule": "last layer gradients", "dimensions": self.dimensions}

    def width(self, network: Any) -> int:
        """Return the width."""
        del network
        return self.dimensions

    def of(self, network: Any) -> Callable[[Sequence[Encoded]], NDArray[np.float32]]:
        """Return what gives the vectors of a batch.

        Raises
        ------
        UsageError
            The model does more to its logits than an output layer.
        """
        head = network.get_output_embeddings()
        if head is None:
            raise _no_plain_output_layer()
        left: Signs | None = None
        right: Signs | None = None

        @torch.inference_mode()
        def vectors(rows: Sequence[Encoded]) -> NDArray[np.float32]:
            nonlocal left, right
            batch = padded(rows, network.device)
            first, hidden = run_held_back(network, batch.ids, batch.mask, lambda states: states[:, :1])
            if left is None or right is None:
                if hidden is None or not output_layer_is_all(network, first, hidden[:, :1]):
                    raise _no_plain_output_layer()
                left = Signs("output left", first.shape[-1], self.dimensions, network.device)
                right = Signs("output right", hidden.shape[-1], self.dimensions, network.device)
            if hidden is None:
                raise RuntimeError("the output layer was there in the first batch")
            states = hidden[batch.predicts.to(network.device)]
            owners = batch.predicts.nonzero()[:, 0].to(network.device)
            sums = torch.zeros((len(rows), self.dimensions), device=network.device)
            step = max(1, _CHUNK_LOGITS // first.shape[-1])
            for start in range(0, len(states), step):
                some = states[start : start + step]
                errors = head(some).float().softmax(-1)
                targets = batch.targets[start : start + step].to(network.device)
                errors[torch.arange(len(some), device=errors.device), targets] -= 1
                both = left.times(errors) * right.times(some.float())
                sums.index_add_(0, owners[start : start + step], both)
            trained = torch.bincount(owners, minlength=len(rows)).clamp(min=1)
            return (sums / trained[:, None] / math.sqrt(self.dimensions)).cpu().numpy()

        return vectors


def _no_plain_output_layer() -> UsageError:
    return UsageError(
        "the model does more to its logits than its output layer, so that the gradient of that layer is another",
        hint="take gradient_of lora",
    )


class _Layer(NamedTuple):
    """A linear map whose weights a gradient is of: what it saw, and what it gave, in one batch."""

    name: str
    seen: torch.Tensor
    given: torch.Tensor


@dataclass(frozen=True)
class LoraGradients:
    """A rule for `embed_examples`: the gradient of the mean token loss by the weights of a LoRA.

    Of a model with an adapter it is by all weights of that. Of one without it is by those of a new LoRA on all linear
    layers but the output layer, of rank 8, with B zero and A of random signs: A has no gradient then, and B has
    sum_t d_t (A x_t)', with x_t what the layer sees and d_t the gradient by what it gives. Layers that do not see rows
    apart, as experts do not, have no part in it.

    Parameters
    ----------
    dimensions
        The width of the vectors.
    """

    dimensions: int
    trained_only: bool = True
    _signs: dict[str, Signs] = field(default_factory=dict, compare=False, repr=False)

    def identity(self) -> Mapping[str, Any]:
        """Return the width and the rank."""
        return {"rule": "lora gradients", "dimensions": self.dimensions, "rank": _RANK}

    def width(self, network: Any) -> int:
        """Return the width."""
        del network
        return self.dimensions

    def of(self, network: Any) -> Callable[[Sequence[Encoded]], NDArray[np.float32]]:
        """Return what gives the vectors of a batch, by one forward and one backward pass of it.

        Raises
        ------
        UsageError
            The model has no linear layers.
        """
        own = list(_adapter_layers(network))
        modules = own or list(_linear_layers(network))
        if not modules:
            raise UsageError(
                "the model has no linear layers that a LoRA could adapt", hint="take gradient_of last_layer"
            )
        network.requires_grad_(requires_grad=False)

        def vectors(rows: Sequence[Encoded]) -> NDArray[np.float32]:
            batch = padded(rows, network.device)
            with torch.enable_grad():
                layers, losses = _watched(network, modules, batch)
                by_output = torch.autograd.grad(losses.sum(), [one.given for one in layers], allow_unused=True)
            sums = torch.zeros((len(rows), self.dimensions), device=network.device)
            for layer, gradient in zip(layers, by_output, strict=True):
                if gradient is not None:
                    seen = layer.seen.float()
                    if not own:
                        down = self._of(f"{layer.name} A", _RANK, seen.shape[-1], network.device)
                        seen = seen @ down.values.float().T / math.sqrt(seen.shape[-1])
                    weights = torch.einsum("rto,rti->roi", gradient.float(), seen)
                    sums += projected(
                        weights,
                        self._of(f"{layer.name} left", weights.shape[1], self.dimensions, network.device),
                        self._of(f"{layer.name} right", weights.shape[2], self.dimensions, network.device),
                    )
            return (sums / math.sqrt(self.dimensions)).cpu().numpy()

        return vectors

    def _of(self, name: str, rows: int, width: int, device: torch.device) -> Signs:
        if name not in self._signs:
            self._signs[name] = Signs(name, rows, width, device)
        return self._signs[name]


def _adapter_layers(network: Any) -> Iterator[tuple[str, Any]]:
    """Yield the linear maps of the adapter that is in a model."""
    for name, module in network.named_modules():
        if name.rpartition(".")[0].endswith((".lora_A", ".lora_B")):
            yield name, module


def _linear_layers(network: Any) -> Iterator[tuple[str, Any]]:
    """Yield the linear layers of a model but its output layer."""
    head = network.get_output_embeddings()
    for name, module in network.named_modules():
        # GPT-2 has linear layers of another name.
        if module is not head and (isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D"):
            yield name, module


def _watched(network: Any, modules: list[tuple[str, Any]], batch: Padded) -> tuple[list[_Layer], torch.Tensor]:
    """Return what these modules saw and gave in a forward pass that keeps what gradients need, and each row's loss."""
    layers: list[_Layer] = []

    def hold(name: str) -> Callable[..., None]:
        def held(_module: Any, seen: tuple[Any, ...], given: torch.Tensor) -> None:
            if seen[0].shape[:-1] == batch.ids.shape and given.requires_grad:
                layers.append(_Layer(name, seen[0].detach(), given))

        return held

    def begin(_module: Any, _seen: Any, given: torch.Tensor) -> torch.Tensor:
        # With all weights frozen, nothing else would ask for gradients.
        return given.detach().requires_grad_()

    hooks = [module.register_forward_hook(hold(name)) for name, module in modules]
    hooks.append(network.get_input_embeddings().register_forward_hook(begin))
    predicts = batch.predicts.to(network.device)
    try:
        logits, hidden = run_held_back(network, batch.ids, batch.mask, lambda states: states[predicts][None])
    finally:
        for hook in hooks:
            hook.remove()
    logits = logits[0] if hidden is not None else logits[predicts]
    losses = torch.nn.functional.cross_entropy(logits.float(), batch.targets.to(network.device), reduction="none")
    owners = predicts.nonzero()[:, 0]
    counts = torch.bincount(owners, minlength=len(batch.ids))
    return layers, losses / counts[owners]
