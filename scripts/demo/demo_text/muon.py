"""Muon for the weight matrices: momentum whose singular values are all made one.

Source: K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; the step size relative
to Adam's is the one of J. Liu et al., "Muon is scalable for LLM training", arXiv 2502.16982. torch's own version
rounds to bfloat16, which is several times slower on processors without instructions for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import torch
from torch import Tensor

__all__ = ["Muon"]

_COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)
_ITERATIONS: Final = 5


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; for two-dimensional weights only."""

    def __init__(self, weights: Iterable[Tensor], *, lr: float, momentum: float = 0.95, weight_decay: float = 0.1):
        super().__init__(weights, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """Update the weights; matrices of one shape are orthogonalised together. There is no `closure`."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for weight in group["params"]:
                by_shape.setdefault(weight.shape, []).append(weight)
            for shape, weights in by_shape.items():
                updates = orthogonal(torch.stack([self._direction(weight, group["momentum"]) for weight in weights]))
                size = group["lr"] * 0.2 * max(shape) ** 0.5
                for weight, update in zip(weights, updates, strict=True):
                    weight.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update, alpha=size)

    def _direction(self, weight: Tensor, momentum: float) -> Tensor:
        state = self.state[weight]
        if not state:
            state["velocity"] = torch.zeros_like(weight)
        velocity: Tensor = state["velocity"]
        gradient = weight.grad
        assert gradient is not None
        velocity.lerp_(gradient, 1 - momentum)
        return gradient.lerp(velocity, momentum)


def orthogonal(matrices: Tensor) -> Tensor:
    """Return matrices with the same singular vectors and singular values near one (shape `(n, rows, columns)`)."""
    first, second, third = _COEFFICIENTS
    turned = matrices.shape[1] > matrices.shape[2]
    found = matrices.mT if turned else matrices
    found = found / (torch.linalg.matrix_norm(found, keepdim=True) + 1e-7)
    for _ in range(_ITERATIONS):
        square = found @ found.mT
        found = first * found + (second * square + third * square @ square) @ found
    return found.mT if turned else found
