"""What greedy selection returns, and the arguments that its kernels share."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from sage_select.errors import UsageError
from sage_select.kernels import arrays
from sage_select.kernels.call import whole
from sage_select.kernels.select.limits import Bounds, Limits, bounds

__all__ = ["Greedy", "float32", "number", "wishes"]


class Greedy(NamedTuple):
    """Rows in pick order, with the evidence for each."""

    #: int64, shape (k,): row numbers.
    indices: NDArray[np.int64]
    #: float32, shape (k,): what each was worth when it was picked.
    gains: NDArray[np.float32]
    #: How many gains (`facility_location`, `graph_cut`) or pairs of rows (all others) were computed, at any precision:
    #: the same on every machine; len(indices) * n for a search that computes all.
    evaluations: int
    #: How it was found.
    method: Literal["dense", "graph", "exact", "cells"]
    #: Which share of the exact neighbours the graph has, for a sample of 256 rows; 1 where they are found exactly.
    recall: float = 1.0


def float32(values: ArrayLike, name: str) -> NDArray[np.float32]:
    """Return a 1-D array as float32."""
    # A number beyond float32 becomes infinite, which the kernel refuses by its row.
    with np.errstate(over="ignore"):
        return arrays.floats(values, name).astype(np.float32, copy=False)


def number(value: float, name: str) -> float:
    """Return a number as a float, or raise `UsageError`."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise UsageError(f"{name} must be a number", got=repr(value))
    return float(value)


def wishes(
    k: int, given: ArrayLike | None, excluded: ArrayLike | None, limits: Limits | None
) -> tuple[int, pa.Array, pa.Array, Bounds | None]:
    """Return how many rows to pick, which are in the set, which are never picked, and the limits, for the kernels."""
    return whole(k, "k"), _row_numbers(given, "given"), _row_numbers(excluded, "excluded"), bounds(limits)


def _row_numbers(rows: ArrayLike | None, name: str) -> pa.Array:
    return arrays.as_arrow(arrays.integers([] if rows is None else rows, name, np.int64))
