"""A number of a selection beside the same of random subsets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["Better", "Figure", "Outcome", "mean", "rounded"]

Better = Literal["more", "less"]
Outcome = Literal["better", "worse", "undecided"]

#: A difference below this share of the random subsets' mean is none.
_RELATIVE_FLOOR: Final = 0.01
#: Student's t of the two-sided 95 % interval for 1, 2, ... degrees of freedom: one less than the subsets.
_STUDENT: Final = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093),
)


@dataclass(frozen=True)
class Figure:
    """One number of the selection and of each random subset.

    Attributes
    ----------
    selected, random
        The numbers; no random ones where there is nothing to compare with.
    better
        Which way is better, or None where neither is.
    best
        The best there can be, or None.
    floor
        A difference below this means nothing.
    """

    selected: float
    random: tuple[float, ...]
    better: Better | None = None
    best: float | None = None
    floor: float = 0.0

    @classmethod
    def of(
        cls, values: Sequence[float], better: Better | None = None, best: float | None = None, floor: float = 0.0
    ) -> Figure:
        """Return the figure of the numbers of the selection, first, and of the random subsets."""
        return cls(values[0], tuple(values[1:]), better, best, floor)

    @property
    def noise(self) -> float:
        """How far from the mean of the random subsets one more of them lies at most, but once in twenty times.

        Never less than what means something: the floor, or one percent of that mean.
        """
        middle, count = mean(self.random), len(self.random)
        floor = max(self.floor, _RELATIVE_FLOOR * abs(middle))
        if count < 2:
            return floor
        variance = math.fsum((value - middle) ** 2 for value in self.random) / (count - 1)
        return max(floor, _STUDENT[min(count - 1, len(_STUDENT)) - 1] * math.sqrt(variance * (1 + 1 / count)))

    @property
    def outcome(self) -> Outcome | None:
        """How the selection compares with random subsets: beyond each of them and their noise, or undecided.

        None where there is no better, no subset, or where the selection and the subsets are as good as can be.
        """
        if self.better is None or not self.random:
            return None
        gain = self.selected - mean(self.random)
        gain = gain if self.better == "more" else -gain
        outside = not min(self.random) <= self.selected <= max(self.random)
        if outside and abs(gain) > self.noise:
            return "better" if gain > 0 else "worse"
        least_off = max(self.floor, 0.0)
        if self.best is not None and all(
            abs(value - self.best) <= least_off for value in (self.selected, *self.random)
        ):
            return None
        return "undecided"

    def values(self) -> dict[str, Any]:
        """Return the numbers for the manifest; `random` is None where there is nothing to compare with."""
        if not self.random:
            return {"selected": rounded(self.selected), "random": None}
        return {
            "selected": rounded(self.selected),
            "random": {
                "mean": rounded(mean(self.random)),
                "least": rounded(min(self.random)),
                "most": rounded(max(self.random)),
            },
        }


def mean(values: Sequence[float]) -> float:
    """Return the mean, the same to the last bit on every machine."""
    return math.fsum(values) / len(values)


def rounded(value: float) -> float:
    """Return a number with six digits: what a manifest is read for."""
    return float(f"{value:.6g}")
