"""Bars that go from the left: how many rows are left after each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from sage_select.report.charts.chart import Look, plain_axes
from sage_select.report.charts.labels import label

__all__ = ["Remaining", "Step"]


class Step(NamedTuple):
    """A cause for which rows left: how many there were before and after it."""

    name: str
    before: int
    after: int


@dataclass(frozen=True)
class Remaining:
    """A bar for each step: what is left, and behind it what left there.

    Attributes
    ----------
    start
        (what rows are called, how many) before the first step.
    steps
        The steps, in turn.
    end
        (what the rest is called, how many).
    """

    start: tuple[str, int]
    steps: Sequence[Step]
    end: tuple[str, int]

    dense: ClassVar[bool] = False

    def height(self, narrow: bool) -> float:
        """Return how high the figure is, in inches."""
        return 0.35 + (0.52 if narrow else 0.34) * (len(self.steps) + 2)

    def draw(self, figure: Any, look: Look) -> None:
        """Draw the bars."""
        axes = plain_axes(figure)
        lines = [
            (self.start[0], self.start[1], 0, look.pool),
            *((label(step.name), step.after, step.before - step.after, look.pool) for step in self.steps),
            (self.end[0], self.end[1], 0, look.picks),
        ]
        most = max(1, self.start[1], *(step.before for step in self.steps))
        thick = 0.42 if look.narrow else 0.56
        for place, (name, left, gone, colour) in enumerate(lines):
            axes.barh(place, left, height=thick, color=colour)
            if gone > 0:
                axes.barh(
                    place, gone, left=left, height=thick, color=look.grid, hatch="////", edgecolor=look.random, lw=0
                )
            told = f"{-gone:,}" if gone else f"{left:,}"
            # Beside the bar, so that it is read on any colour.
            axes.annotate(
                told.replace("-", "\N{MINUS SIGN}"),
                (left + gone, place),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
                color=look.ink if not gone else look.muted,
                weight="bold" if colour == look.picks else "normal",
            )
            if look.narrow:
                axes.annotate(
                    name,
                    (0, place),
                    xytext=(0, 14),
                    textcoords="offset points",
                    va="center",
                    fontsize=8,
                    color=look.ink,
                )
        axes.set_xlim(0, most * 1.16)
        axes.set_ylim(len(lines) - 0.4, -0.8 if look.narrow else -0.5)
        axes.set_yticks(range(len(lines)), [""] * len(lines) if look.narrow else [line[0] for line in lines])
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
