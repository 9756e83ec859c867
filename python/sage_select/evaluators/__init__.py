"""Evaluators, one a file: each says what is asked of a model on rows, and which metrics judge the answers."""

from __future__ import annotations

from sage_select.evaluate.asked_model import Answer, AskedModel, Question
from sage_select.evaluate.evaluator import EVALUATORS, Asked, Evaluator, Measured, NotHere, evaluator
from sage_select.evaluate.final_turns import FinalTurn, final_turns
from sage_select.evaluate.material import Limits, Material
from sage_select.evaluate.metrics import AnswerRecord, Metric, ToolRecord

__all__ = [
    "EVALUATORS",
    "Answer",
    "AnswerRecord",
    "Asked",
    "AskedModel",
    "Evaluator",
    "FinalTurn",
    "Limits",
    "Material",
    "Measured",
    "Metric",
    "NotHere",
    "Question",
    "ToolRecord",
    "evaluator",
    "final_turns",
]
