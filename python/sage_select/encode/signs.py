"""Random signs by which gradients of matrices are projected: the same on every machine, held as bytes.

A gradient G of a matrix (o, i) becomes m numbers f_k = u_k' G v_k / sqrt(m), with u_k and v_k of random signs. Over
these the dot product of two such f is that of the gradients on average. It is a projection by rows that are Kronecker
products: its variance is at most some four times that of a dense projection to as many numbers, and no matrix of o i m
numbers is made.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import torch

__all__ = ["Signs", "projected"]

#: Numbers made of signs at a time (64 MB).
_CHUNK: Final = 1 << 24


class Signs:
    """A matrix of random signs, int8 (rows, width), that follows from its name and shape alone."""

    def __init__(self, name: str, rows: int, width: int, device: torch.device) -> None:
        key = int.from_bytes(hashlib.blake2b(f"{name} {rows} {width}".encode(), digest_size=16).digest(), "little")
        words = np.random.Philox(key=key).random_raw(-(-rows * width // 64))
        bits = np.unpackbits(words.astype("<u8").view(np.uint8), count=rows * width).reshape(rows, width)
        self.values = torch.from_numpy(bits.astype(np.int8) * 2 - 1).to(device)

    def times(self, values: torch.Tensor) -> torch.Tensor:
        """Return `values @ signs`, of values (..., rows)."""
        width = self.values.shape[1]
        found = values.new_zeros((*values.shape[:-1], width))
        step = max(1, _CHUNK // width)
        for start in range(0, len(self.values), step):
            found += values[..., start : start + step] @ self.values[start : start + step].to(values.dtype)
        return found


def projected(gradients: torch.Tensor, left: Signs, right: Signs) -> torch.Tensor:
    """Return u_k' G v_k of each gradient G, (n, width), without the division; `gradients` is (n, o, i)."""
    if gradients.shape[1] < gradients.shape[2]:
        gradients, left, right = gradients.transpose(1, 2), right, left
    found = left.times(gradients.transpose(1, 2))
    return (found * right.values.to(found.dtype)).sum(1)
