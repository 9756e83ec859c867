"""What a pipeline may say: one frozen value for each kind of step. Ops read no rows."""

from __future__ import annotations

from sage_select.ops.base import Op
from sage_select.ops.budget import Budget
from sage_select.ops.dedup import Dedup
from sage_select.ops.embed import Embed
from sage_select.ops.location import InputSetting, Reads
from sage_select.ops.quota import Quota
from sage_select.ops.registry import OPS
from sage_select.ops.rules import OBJECTIVES, STRATEGIES, ObjectiveRule, StrategyRule
from sage_select.ops.score import Score
from sage_select.ops.select import AUTO, NO_SCORES, WITH_SCORES, WITHOUT_SCORES, Select
from sage_select.ops.sink import Sink
from sage_select.ops.source import Source

__all__ = [
    "AUTO",
    "NO_SCORES",
    "OBJECTIVES",
    "OPS",
    "STRATEGIES",
    "WITHOUT_SCORES",
    "WITH_SCORES",
    "Budget",
    "Dedup",
    "Embed",
    "InputSetting",
    "ObjectiveRule",
    "Op",
    "Quota",
    "Reads",
    "Score",
    "Select",
    "Sink",
    "Source",
    "StrategyRule",
]
