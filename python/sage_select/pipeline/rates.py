"""What this machine does in a second, measured by a little of each kind of work."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from sage_select import kernels
from sage_select.io.tables.digest import digest_bytes

__all__ = ["Rates", "rates"]

_TRIES: Final = 3
_VECTORS: Final = (512, 256)
_TEXTS: Final = 400
_BYTES: Final = 1 << 20
_ROWS: Final = 10_000


class Rates(NamedTuple):
    """How much a thread does in a second.

    Attributes
    ----------
    multiply_adds
        Of vectors, in the kernels.
    text
        Bytes of text that are scored by their words; reading and naming JSON rows takes about as long.
    copied
        Bytes that are digested; checking and copying them takes no longer.
    rows
        Rows that are hashed by their ids, and sorted by that.
    """

    multiply_adds: float
    text: float
    copied: float
    rows: float


@cache
def rates() -> Rates:
    """Measure what this machine does now: once a process, in some hundredths of a second."""
    n, d = _VECTORS
    vectors = np.random.default_rng(0).standard_normal((n, d), np.float32)
    matrix, everything = kernels.Matrix.from_array(vectors, metric="dot"), np.arange(n)
    said = (f"text {i} says what {i % 7} of {i % 31} others say of words {'as ' * (i % 90)}" for i in range(_TEXTS))
    texts = pa.array(said, pa.string())
    ids, zeros = pa.array([f"row {i}" for i in range(_ROWS)], pa.string()), bytes(_BYTES)
    return Rates(
        multiply_adds=n * n * d / _seconds(lambda: kernels.nearest_members(matrix, everything, everything, threads=1)),
        text=texts.nbytes / _seconds(lambda: kernels.lexical_difficulty(texts, threads=1)),
        copied=_BYTES / _seconds(lambda: digest_bytes(zeros)),
        rows=_ROWS / _seconds(lambda: np.argsort(kernels.keyed_hashes(1, ids, threads=1), kind="stable")),
    )


def _seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes at its fastest, which is not zero."""
    best = float("inf")
    for _ in range(_TRIES):
        start = perf_counter()
        work()
        best = min(best, perf_counter() - start)
    return max(best, 1e-9)
