"""When a tool is called: metrics of the decision to call one now, over turns of both kinds, beside the majority's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from sage_select.evaluate.metrics.metric import Floats, Metric
from sage_select.evaluate.metrics.record import ToolRecord
from sage_select.evaluate.metrics.selection import NO_CALLING, calls

__all__ = ["TIMING"]

_OVER: Final = "turns of both kinds"
#: A decision to call is one that can be read or not. What the sums are sums of.
_PARTS: Final = ("both call", "with a call", "without a call", "model calls", "right", "turns", "either calls")
_BOTH_KINDS: Final = {
    "with a call": NO_CALLING,
    "without a call": "no turn without a call is judged",
}
_TIE: Final = "as many turns call a tool as do not, so that neither is the majority"


def _decision(record: ToolRecord) -> tuple[float, ...]:
    expected, attempted = calls(record), record.attempts
    return (
        expected and attempted,
        expected,
        not expected,
        attempted,
        expected == attempted,
        1,
        expected or attempted,
    )


def _part(sums: Floats, name: str) -> Floats:
    return np.asarray(sums[..., _PARTS.index(name)])


def _share(part: str, whole: str) -> Callable[[Floats], Floats]:
    return lambda sums: np.asarray(_part(sums, part) / _part(sums, whole))


def _f1(sums: Floats) -> Floats:
    return np.asarray(2 * _part(sums, "both call") / (_part(sums, "with a call") + _part(sums, "model calls")))


def _balanced(sums: Floats) -> Floats:
    kept = _part(sums, "right") - _part(sums, "both call")
    return np.asarray(
        (_part(sums, "both call") / _part(sums, "with a call") + kept / _part(sums, "without a call")) / 2
    )


def _majority(of_calling: Callable[[float], float], of_other: float | str) -> Callable[[Floats], float | str]:
    """Return the baseline: what always calling has, given the share of turns that call, and what never calling has."""

    def baseline(sums: Floats) -> float | str:
        share = float(_part(sums, "with a call") / _part(sums, "turns"))
        if share == 0.5:
            return _TIE
        return of_calling(share) if share > 0.5 else of_other

    return baseline


def _accuracy_of_majority(sums: Floats) -> float | str:
    share = float(_part(sums, "with a call") / _part(sums, "turns"))
    return max(share, 1 - share)


def _metric(
    name: str,
    definition: str,
    value: Callable[[Floats], Floats],
    baseline: Callable[[Floats], float | str],
    counted: tuple[str, ...],
    needs: dict[str, str] | None = None,
) -> Metric[ToolRecord]:
    return Metric(
        name=name,
        group="timing",
        definition=definition,
        over=_OVER,
        among=lambda _: True,
        contribution=_decision,
        parts=_PARTS,
        needs=_BOTH_KINDS | (needs or {}),
        value=value,
        baseline=baseline,
        counted=counted,
    )


#: All metrics of timing.
TIMING: Final[tuple[Metric[ToolRecord], ...]] = (
    _metric(
        "timing_accuracy",
        "Share in which a tool is called just where one is expected; something unreadable counts as a call.",
        _share("right", "turns"),
        _accuracy_of_majority,
        ("turns",),
    ),
    _metric(
        "timing_precision",
        "Of the turns in which the model calls, the share in which a call is expected.",
        _share("both call", "model calls"),
        _majority(lambda share: share, "the majority calls none, and whoever never calls has no precision"),
        ("model calls",),
        {"model calls": "the model calls no tool"},
    ),
    _metric(
        "timing_recall",
        "Of the turns in which a call is expected, the share in which the model calls.",
        _share("both call", "with a call"),
        _majority(lambda _: 1.0, 0.0),
        ("with a call",),
    ),
    _metric(
        "timing_f1",
        "2 x the turns in which a call is expected and made / (those in which one is expected + those in which one is "
        "made).",
        _f1,
        _majority(lambda share: 2 * share / (1 + share), 0.0),
        ("either calls",),
    ),
    _metric(
        "timing_balanced_accuracy",
        "Mean of the share of turns with an expected call in which the model calls, and the share of the others in "
        "which it does not.",
        _balanced,
        lambda _: 0.5,
        ("with a call", "without a call"),
    ),
)
