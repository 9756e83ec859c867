"""Which arms of a comparison are better than its control: a plain word each, at a level that holds for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sage_select.evaluate.statistics.paired import Difference

__all__ = ["LEVEL", "Verdict", "holm", "verdicts"]

#: How often an arm may be called different from the control where none is.
LEVEL: Final = 0.05


@dataclass(frozen=True)
class Verdict:
    """What can be said of an arm.

    Parameters
    ----------
    word
        `better` or `worse` than the control, or `not distinguishable` from it.
    p_adjusted
        The p-value, adjusted for the number of arms; None where there is none.
    why
        What it rests on, in words.
    """

    word: Literal["better", "worse", "not distinguishable"]
    p_adjusted: float | None
    why: str


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for how many there are (Holm 1979): all that are at most 5 % hold together.

    Examples
    --------
    >>> [round(one, 2) for one in holm([0.01, 0.04, 0.03])], holm([])
    ([0.03, 0.06, 0.06], [])
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def verdicts(differences: Mapping[str, Difference], better: str = "higher") -> dict[str, Verdict]:
    """Return a verdict for each arm.

    Where no arm differs from the control, one is called better or worse in at most 5 % of comparisons, whatever the
    number of arms.

    Parameters
    ----------
    differences
        Arm -> its difference from the one control, by one metric.
    better
        Whether a `higher` or a `lower` value is better.
    """
    tested = {name: one.p_value for name, one in differences.items() if one.p_value is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {name: _verdict(one, adjusted.get(name), len(adjusted), better) for name, one in differences.items()}


def _verdict(difference: Difference, p: float | None, arms: int, better: str) -> Verdict:
    if p is None or difference.value is None:
        return Verdict("not distinguishable", None, difference.interval.why_none or "there is no test")
    among = "" if arms == 1 else f", adjusted for {arms} arms by Holm"
    if p > LEVEL or difference.value == 0:
        return Verdict("not distinguishable", p, f"p = {p:.2g}{among}")
    word: Literal["better", "worse"] = "better" if (difference.value > 0) == (better == "higher") else "worse"
    return Verdict(word, p, f"p = {p:.2g}{among}")
