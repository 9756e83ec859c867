"""Rows -> numbers: how hard or how surprising each one is."""

from __future__ import annotations

from sage_select.score.language_model import ScoreResult, language_model_scores
from sage_select.score.lexical import LEXICAL_MEASURES, LexicalMeasure, LexicalMeasureName, lexical_scores
from sage_select.score.measures import MEASURES, MeasureName
from sage_select.score.scoring_model import Precision, ScoringModel
from sage_select.score.token_lengths import token_lengths

__all__ = [
    "LEXICAL_MEASURES",
    "MEASURES",
    "LexicalMeasure",
    "LexicalMeasureName",
    "MeasureName",
    "Precision",
    "ScoreResult",
    "ScoringModel",
    "language_model_scores",
    "lexical_scores",
    "token_lengths",
]
