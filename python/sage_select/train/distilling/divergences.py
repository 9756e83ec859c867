"""How far one distribution over tokens is from another, given both as logarithms of probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import torch

__all__ = ["DIVERGENCES", "forward_kl", "generalised_js", "reverse_kl"]


def forward_kl(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    """Return KL(p || q), of float tensors (n, v) one number a row; where p is 0 it adds nothing."""
    p = log_p.exp()
    return (p * (log_p - log_q).masked_fill(p == 0, 0.0)).sum(-1)


def reverse_kl(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    """Return KL(q || p), as `forward_kl`."""
    return forward_kl(log_q, log_p)


def generalised_js(log_p: torch.Tensor, log_q: torch.Tensor, *, beta: float) -> torch.Tensor:
    """Return beta KL(p || m) + (1 - beta) KL(q || m), m = beta p + (1 - beta) q (arXiv 2306.13649).

    Parameters
    ----------
    log_p, log_q
        As `forward_kl` takes them.
    beta
        Above 0 and below 1. Divided by beta it becomes KL(p || q) as beta goes to 0.
    """
    log_m = torch.logaddexp(log_p + math.log(beta), log_q + math.log1p(-beta))
    return beta * forward_kl(log_p, log_m) + (1 - beta) * forward_kl(log_q, log_m)


#: Name of a setting -> function from its `beta` to the divergence.
DIVERGENCES: Final[Mapping[str, Callable[[float], Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]]] = {
    "forward_kl": lambda _beta: forward_kl,
    "reverse_kl": lambda _beta: reverse_kl,
    "js": lambda beta: partial(generalised_js, beta=beta),
}
