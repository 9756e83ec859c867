"""Held-out measurement: the loss and the tool-selection accuracy of a model, and of an adapter beside its base."""

from __future__ import annotations

from sage_select.evaluate.compare import compare
from sage_select.evaluate.held_out import DEFAULT_TURNS, HeldOut
from sage_select.evaluate.material import Limits
from sage_select.evaluate.result import Evaluation, Prediction
from sage_select.evaluate.run import evaluate, evaluate_adapters, evaluate_tuned, prepare_held_out
from sage_select.evaluate.session import EvaluationSession
from sage_select.evaluate.tool_calls import Parsed, ToolCall, parse_tool_calls
from sage_select.evaluate.write import check_result_path, write_comparison
from sage_select.train.overlap import Overlap, find_overlap

__all__ = [
    "DEFAULT_TURNS",
    "Evaluation",
    "EvaluationSession",
    "HeldOut",
    "Limits",
    "Overlap",
    "Parsed",
    "Prediction",
    "ToolCall",
    "check_result_path",
    "compare",
    "evaluate",
    "evaluate_adapters",
    "evaluate_tuned",
    "find_overlap",
    "parse_tool_calls",
    "prepare_held_out",
    "write_comparison",
]
