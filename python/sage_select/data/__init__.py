"""The rows of a run, what is known of them, and what became of each."""

from __future__ import annotations

from sage_select.data.addition import Addition
from sage_select.data.dataset import COUNTED_ROWS, Dataset
from sage_select.data.features import Lengths, Scores
from sage_select.data.lineage import (
    EXACT_COPY,
    HELD_OUT_CAUSES,
    HELD_OUT_COLUMNS,
    HELD_OUT_ID,
    HELD_OUT_KIN,
    HELD_OUT_NEAR,
    HELD_OUT_NGRAMS,
    HELD_OUT_SAME,
    NEAR_COPY,
    NOTHING_TO_TRAIN,
    Cause,
    HeldOut,
    Lineage,
)
from sage_select.data.predictions import Predictions
from sage_select.data.selected import NOT_SELECTED, Selected

__all__ = [
    "COUNTED_ROWS",
    "EXACT_COPY",
    "HELD_OUT_CAUSES",
    "HELD_OUT_COLUMNS",
    "HELD_OUT_ID",
    "HELD_OUT_KIN",
    "HELD_OUT_NEAR",
    "HELD_OUT_NGRAMS",
    "HELD_OUT_SAME",
    "NEAR_COPY",
    "NOTHING_TO_TRAIN",
    "NOT_SELECTED",
    "Addition",
    "Cause",
    "Dataset",
    "HeldOut",
    "Lengths",
    "Lineage",
    "Predictions",
    "Scores",
    "Selected",
]
