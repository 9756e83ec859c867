"""The rows of a run, what is known of them, and what became of each."""

from __future__ import annotations

from sage_select.data.dataset import COUNTED_ROWS, Dataset, Selected
from sage_select.data.features import Lengths, Scores
from sage_select.data.lineage import EXACT_COPY, NEAR_COPY, NOTHING_TO_TRAIN, Cause, Lineage

__all__ = [
    "COUNTED_ROWS",
    "EXACT_COPY",
    "NEAR_COPY",
    "NOTHING_TO_TRAIN",
    "Cause",
    "Dataset",
    "Lengths",
    "Lineage",
    "Scores",
    "Selected",
]
