"""Which tools are called: metrics over the turns that call one, and the false calls of those that call none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sage_select.evaluate.metrics.metric import Metric
from sage_select.evaluate.metrics.record import ToolRecord

__all__ = ["CALLING", "NO_CALLING", "calls", "selection_metrics"]

#: The records that most metrics of tools are over, and why there is no value without one.
CALLING: Final = "turns with a call"
NO_CALLING: Final = "no turn with a call is judged"
_GROUP: Final = "tool selection"


def calls(record: ToolRecord) -> bool:
    """Return whether the row's own turn calls a tool."""
    return bool(record.expected)


def selection_metrics(ranks: Sequence[int] = (1, 3)) -> tuple[Metric[ToolRecord], ...]:
    """Return the metrics of which tools are called.

    Parameters
    ----------
    ranks
        Up to which predicted tool hits and recall are looked for, each more than 0.
    """
    return (
        Metric(
            name="tool_accuracy",
            group=_GROUP,
            definition="Share in which exactly the expected tools are called, in any order and number, and nothing is "
            "unreadable.",
            over=CALLING,
            among=calls,
            contribution=lambda one: (one.correct, 1),
            parts=("right", "turns"),
            needs={"turns": NO_CALLING},
        ),
        *(_hit(rank) for rank in ranks),
        *(_recall(rank) for rank in ranks),
        Metric(
            name="tool_mrr",
            group=_GROUP,
            definition="Mean of 1 / rank of the first expected tool among those called, each tool counted once; 0 "
            "where none of them is called.",
            over=CALLING,
            among=calls,
            contribution=lambda one: (_reciprocal_rank(one), 1),
            parts=("reciprocal ranks", "turns"),
            needs={"turns": NO_CALLING},
        ),
        Metric(
            name="tool_f1",
            group=_GROUP,
            definition="Micro-averaged F1 of tool names, each counted once a turn: 2 x those expected and called / "
            "(those expected + those called).",
            over=CALLING,
            among=calls,
            contribution=lambda one: (
                2 * len(_shared(one, None)),
                len(one.expected_names) + len(one.predicted_names),
            ),
            parts=("twice shared", "names"),
            needs={"names": NO_CALLING},
        ),
        Metric(
            name="hallucinated_tools",
            group=_GROUP,
            definition="Share in which a tool is called that the row does not offer.",
            over="turns with a call whose row offers tools",
            among=lambda one: calls(one) and bool(one.offered),
            contribution=lambda one: (not set(one.predicted_names) <= one.offered.keys(), 1),
            parts=("turns with such a call", "turns"),
            needs={"turns": "no turn with a call is judged whose row offers tools"},
            better="lower",
        ),
        Metric(
            name="false_calls",
            group=_GROUP,
            definition="Share in which a tool is called all the same, or something unreadable is.",
            over="turns without a call",
            among=lambda one: not calls(one),
            contribution=lambda one: (not one.correct, 1),
            parts=("turns with one", "turns"),
            needs={"turns": "no turn without a call is judged"},
            better="lower",
        ),
    )


def _hit(rank: int) -> Metric[ToolRecord]:
    return Metric(
        name=f"tool_hit_at_{rank}",
        group=_GROUP,
        definition=f"Share in which an expected tool is among the first {rank} called, each tool counted once.",
        over=CALLING,
        among=calls,
        contribution=lambda one: (bool(_shared(one, rank)), 1),
        parts=("hits", "turns"),
        needs={"turns": NO_CALLING},
    )


def _recall(rank: int) -> Metric[ToolRecord]:
    return Metric(
        name=f"tool_recall_at_{rank}",
        group=_GROUP,
        definition=f"Mean of how many expected tools are among the first {rank} called / how many are expected, each "
        "tool counted once.",
        over=CALLING,
        among=calls,
        contribution=lambda one: (len(_shared(one, rank)) / len(one.expected_names), 1),
        parts=("shares", "turns"),
        needs={"turns": NO_CALLING},
    )


def _shared(record: ToolRecord, rank: int | None) -> set[str]:
    return set(record.predicted_names[:rank]) & set(record.expected_names)


def _reciprocal_rank(record: ToolRecord) -> float:
    expected = set(record.expected_names)
    places = (place for place, name in enumerate(record.predicted_names, start=1) if name in expected)
    return 1 / next(places, float("inf"))
