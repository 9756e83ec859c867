"""Engines run a plan."""

from __future__ import annotations

from sage_select.engine.base import Finished, Outcome
from sage_select.engine.local import VectorType, Writing, finish, run, top, why, write_scores, write_vectors

__all__ = [
    "Finished",
    "Outcome",
    "VectorType",
    "Writing",
    "finish",
    "run",
    "top",
    "why",
    "write_scores",
    "write_vectors",
]
