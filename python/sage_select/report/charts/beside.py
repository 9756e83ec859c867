"""Values of a selection beside the range of the same of random subsets, each on a scale of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from sage_select.report.charts.chart import Look, plain_axes

__all__ = ["Beside", "Measured"]


class Measured(NamedTuple):
    """A value, and the least, mean and largest of random subsets.

    `better` is 1 where more is better, -1 where less is, 0 where neither is.
    """

    name: str
    selected: float
    least: float
    mean: float
    most: float
    better: int
    told: str


@dataclass(frozen=True)
class Beside:
    """A line for each value, turned so that the better end is to the right."""

    measured: Sequence[Measured]

    dense: ClassVar[bool] = False

    def height(self, narrow: bool) -> float:
        """Return how high the figure is, in inches."""
        return 0.75 + (0.56 if narrow else 0.42) * len(self.measured)

    def draw(self, figure: Any, look: Look) -> None:
        """Draw a line for each."""
        axes = plain_axes(figure)
        for place, one in enumerate(self.measured):
            # In ranges of the random subsets around their mean; what is farther is drawn at the edge, with its value.
            sign = -1.0 if one.better < 0 else 1.0
            reach = max(abs(one.selected - one.mean), one.most - one.least, 1e-12) * 1.15
            at = [sign * (value - one.mean) / reach for value in (one.least, one.most, one.selected)]
            axes.hlines(place, -1.05, 1.05, color=look.grid, lw=1)
            axes.hlines(place, min(at[:2]), max(at[:2]), color=look.random, lw=9, capstyle="round")
            axes.plot([0], [place], marker="|", ms=11, mew=1.6, color=look.muted)
            axes.plot([at[2]], [place], marker="o", ms=8.5, mec=look.surface, mew=1.2, color=look.picks)
            axes.annotate(
                one.told,
                (at[2], place),
                xytext=(0, -11),
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=8,
                color=look.picks,
                weight="bold",
            )
            if look.narrow:
                axes.annotate(
                    one.name,
                    (-1.12, place),
                    xytext=(0, 11),
                    textcoords="offset points",
                    va="center",
                    fontsize=8,
                    color=look.ink,
                )
        axes.set_xlim(-1.15, 1.15)
        axes.set_ylim(len(self.measured) - 0.3, -0.8)
        names = ["" if look.narrow else one.name for one in self.measured]
        axes.set_yticks(range(len(self.measured)), names)
        axes.set_xticks([])
        directed = all(one.better for one in self.measured)
        axes.set_xlabel(
            "worse    \N{LEFTWARDS ARROW}    random    \N{RIGHTWARDS ARROW}    better"
            if directed
            else "less    \N{LEFTWARDS ARROW}    random    \N{RIGHTWARDS ARROW}    more"
        )
        axes.spines["bottom"].set_visible(False)
