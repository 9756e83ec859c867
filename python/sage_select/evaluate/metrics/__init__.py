"""Metrics of judged turns and answers: declared values, each with its definition, computed without torch."""

from __future__ import annotations

from collections.abc import Sequence

from sage_select.evaluate.metrics.answers import EXACT_ANSWER, final_number, label_metrics, labels_of
from sage_select.evaluate.metrics.arguments import ARGUMENTS
from sage_select.evaluate.metrics.bfcl_rules import OMITTED, call_matches, value_matches
from sage_select.evaluate.metrics.difference import difference
from sage_select.evaluate.metrics.metric import Figure, Metric, RowSums, figure, row_sums
from sage_select.evaluate.metrics.planning import PLANNING
from sage_select.evaluate.metrics.record import Accepted, AnswerRecord, ToolRecord, exactly, joined_by_row, offered_in
from sage_select.evaluate.metrics.schema import fits
from sage_select.evaluate.metrics.selection import selection_metrics
from sage_select.evaluate.metrics.timing import TIMING

__all__ = [
    "ARGUMENTS",
    "EXACT_ANSWER",
    "OMITTED",
    "PLANNING",
    "TIMING",
    "Accepted",
    "AnswerRecord",
    "Figure",
    "Metric",
    "RowSums",
    "ToolRecord",
    "call_matches",
    "difference",
    "exactly",
    "figure",
    "final_number",
    "fits",
    "joined_by_row",
    "label_metrics",
    "labels_of",
    "offered_in",
    "row_sums",
    "selection_metrics",
    "tool_metrics",
    "value_matches",
]


def tool_metrics(ranks: Sequence[int] = (1, 3)) -> tuple[Metric[ToolRecord], ...]:
    """Return all metrics of turns in which tools could be called: selection, arguments, planning and timing.

    Parameters
    ----------
    ranks
        Up to which predicted tool hits and recall are looked for, each more than 0.

    Examples
    --------
    >>> from sage_select.evaluate import ToolCall
    >>> record = ToolRecord("row 1", 1, expected=(ToolCall("search", {"q": "x"}),), predicted=(ToolCall("search"),))
    >>> figures = {metric.name: figure(metric, [record]).value for metric in tool_metrics()}
    >>> figures["tool_accuracy"], figures["calls_exact"], figures["parameter_recall"], figures["false_calls"]
    (1.0, 0.0, 0.0, None)
    """
    return (*selection_metrics(ranks), *ARGUMENTS, *PLANNING, *TIMING)
