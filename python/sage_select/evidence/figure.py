"""A number of a selection beside the same of random subsets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Better", "Figure", "Standing", "mean", "rounded"]

Better = Literal["more", "less"]
Standing = Literal["better", "no better"]


@dataclass(frozen=True)
class Figure:
    """One number of the selection and of each random subset.

    Attributes
    ----------
    selected, random
        The numbers.
    better
        Which way is better, or None where neither is.
    best
        The best there can be, or None.
    """

    selected: float
    random: tuple[float, ...]
    better: Better | None = None
    best: float | None = None

    @classmethod
    def of(cls, values: Sequence[float], better: Better | None = None, best: float | None = None) -> Figure:
        """Return the figure of the numbers of the selection, first, and of the random subsets."""
        return cls(values[0], tuple(values[1:]), better, best)

    @property
    def standing(self) -> Standing | None:
        """How the selection stands beside random subsets: better than each of them, or no better.

        None where there is no better, or where the selection and a subset both are as good as can be.
        """
        if self.better is None:
            return None
        ahead = self.selected > max(self.random) if self.better == "more" else self.selected < min(self.random)
        if ahead:
            return "better"
        return None if self.selected == self.best else "no better"

    def values(self) -> dict[str, Any]:
        """Return the numbers for the manifest."""
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
