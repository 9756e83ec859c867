"""In which order tools are called: metrics over sequences of names, of a turn or of the turns of a row together."""

from __future__ import annotations

from typing import Final

from sage_select.evaluate.metrics.metric import Metric
from sage_select.evaluate.metrics.record import ToolRecord
from sage_select.evaluate.metrics.selection import CALLING, NO_CALLING, calls
from sage_select.evaluate.metrics.sequences import edit_similarity, lcs_ratio

__all__ = ["PLANNING"]

_GROUP: Final = "planning"


def _planned(record: ToolRecord) -> tuple[str, ...]:
    return tuple(call.name for call in record.expected)


def _taken(record: ToolRecord) -> tuple[str, ...]:
    return tuple(call.name for call in record.predicted)


def _right_steps(record: ToolRecord) -> int:
    return sum(step == other for step, other in zip(_planned(record), _taken(record), strict=False))


#: All metrics of plans. Where nothing is expected there is no plan to judge; where nothing is called, all are 0.
PLANNING: Final[tuple[Metric[ToolRecord], ...]] = (
    Metric(
        name="sequence_exact",
        group=_GROUP,
        definition="Share in which the expected tools are called one after the other, as often and in the order as "
        "expected, and nothing is unreadable.",
        over=CALLING,
        among=calls,
        contribution=lambda one: (_planned(one) == _taken(one) and not one.failures, 1),
        parts=("right", "turns"),
        needs={"turns": NO_CALLING},
    ),
    Metric(
        name="step_accuracy",
        group=_GROUP,
        definition="Share of expected steps at which just the expected tool is called: a step too many makes all that "
        "follow wrong, one at the end costs nothing, and what is unreadable is no step.",
        over="expected calls",
        among=calls,
        contribution=lambda one: (_right_steps(one), len(one.expected)),
        parts=("right", "steps"),
        needs={"steps": NO_CALLING},
    ),
    Metric(
        name="lcs_ratio",
        group=_GROUP,
        definition="Mean of 2 x the longest common subsequence of tools called and expected / (both lengths); 0 where "
        "none is called.",
        over=CALLING,
        among=calls,
        contribution=lambda one: (lcs_ratio(_planned(one), _taken(one)), 1),
        parts=("ratios", "turns"),
        needs={"turns": NO_CALLING},
    ),
    Metric(
        name="edit_similarity",
        group=_GROUP,
        definition="Mean of 1 - (insertions, deletions and substitutions from the tools called to those expected) / "
        "the longer length; 0 where none is called.",
        over=CALLING,
        among=calls,
        contribution=lambda one: (edit_similarity(_planned(one), _taken(one)), 1),
        parts=("similarities", "turns"),
        needs={"turns": NO_CALLING},
    ),
)
