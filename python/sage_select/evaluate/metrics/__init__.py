"""Metrics of judged turns and answers: declared values, each with its definition, computed without torch."""

from __future__ import annotations

from sage_select.evaluate.metrics.metric import Figure, Metric, RowSums, figure, row_sums
from sage_select.evaluate.metrics.record import Accepted, AnswerRecord, ToolRecord, exactly, joined_by_row

__all__ = [
    "Accepted",
    "AnswerRecord",
    "Figure",
    "Metric",
    "RowSums",
    "ToolRecord",
    "exactly",
    "figure",
    "joined_by_row",
    "row_sums",
]
