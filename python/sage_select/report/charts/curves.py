"""How a value went from step to step, an arm a panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from sage_select.report.charts.chart import Look
from sage_select.report.charts.labels import label

__all__ = ["Curve", "Curves", "Line"]


class Line(NamedTuple):
    """Steps, and the value at each."""

    steps: Sequence[int]
    values: Sequence[float]


class Curve(NamedTuple):
    """An arm: the mean of its seeds, each seed, the place of what it is compared with, and where runs begin anew."""

    name: str
    mean: Line
    seeds: Sequence[Line]
    control: int | None
    begins: Sequence[int]


@dataclass(frozen=True)
class Curves:
    """A panel for each arm, all on the same scales.

    Attributes
    ----------
    curves
        The arms.
    value
        What is above.
    """

    curves: Sequence[Curve]
    value: str

    dense: ClassVar[bool] = False

    def height(self, narrow: bool) -> float:
        """Return how high the figure is, in inches."""
        return 0.75 + (1.35 if narrow else 1.55) * -(-len(self.curves) // self._columns(narrow))

    def _columns(self, narrow: bool) -> int:
        return min(len(self.curves), 2 if narrow else 3)

    def draw(self, figure: Any, look: Look) -> None:
        """Draw the panels."""
        columns = self._columns(look.narrow)
        rows = -(-len(self.curves) // columns)
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for place, (axes, one) in enumerate(zip(panels, self.curves, strict=False)):
            axes.tick_params(length=0, labelsize=8, labelcolor=look.muted)
            axes.grid(axis="y")
            axes.set_axisbelow(True)
            for step in one.begins:
                axes.axvline(step, color=look.grid, lw=1, ls=(0, (2, 2)))
            if one.control is not None:
                axes.plot(*self.curves[one.control].mean, color=look.random, lw=1.8, label="its control")
            colour = look.pool if one.control is None else look.picks
            for line in one.seeds if len(one.seeds) > 1 else ():
                axes.plot(*line, color=colour, lw=0.8, alpha=0.4)
            marker = {"marker": "o", "ms": 3.5} if len(one.mean.steps) == 1 else {}
            axes.plot(*one.mean, color=colour, lw=2, label="mean of its seeds", **marker)
            axes.set_title(
                label(one.name, 20 if look.narrow else 28),
                loc="left",
                fontsize=8 if look.narrow else 9,
                weight="bold",
                color=look.ink,
            )
            axes.locator_params(axis="both", nbins=4)
            axes.tick_params(labelbottom=place + columns >= len(self.curves))
        for axes in panels[len(self.curves) :]:
            axes.set_visible(False)
        figure.supxlabel("optimizer step", fontsize=8.5, color=look.muted)
        figure.supylabel(self.value, fontsize=8.5, color=look.muted)
