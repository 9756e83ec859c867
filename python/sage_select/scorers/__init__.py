"""Scorers, one a file: each says how hard every row is."""

from __future__ import annotations

from sage_select.scorers.scorer import SCORERS, Scorer, finite_scores, scorer

__all__ = ["SCORERS", "Scorer", "finite_scores", "scorer"]
