"""Bounded memories of a stream: who stays, and who is drawn; one file a kernel."""

from __future__ import annotations

from sage_select.kernels.replay.exponential_keys import exponential_keys
from sage_select.kernels.replay.priority_tree import PriorityTree
from sage_select.kernels.replay.reservoir_of_words import reservoir_of_words
from sage_select.kernels.replay.smallest_keys import smallest_keys
from sage_select.kernels.replay.water_fill import water_fill
from sage_select.kernels.replay.within_threshold import within_threshold

__all__ = [
    "PriorityTree",
    "exponential_keys",
    "reservoir_of_words",
    "smallest_keys",
    "water_fill",
    "within_threshold",
]
