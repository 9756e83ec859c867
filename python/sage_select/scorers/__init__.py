"""Scorers, one a file: each says how hard every row is."""

from __future__ import annotations

from sage_select.scorers.scorer import SCORERS, Scorer, finite_scores, one_a_row, scorer

__all__ = ["SCORERS", "Scorer", "finite_scores", "one_a_row", "scorer"]
