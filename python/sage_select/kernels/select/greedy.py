"""What greedy selection returns."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Greedy"]


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
