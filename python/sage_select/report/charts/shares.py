"""Which share of all rows a group has, and which share of the picks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from sage_select.render.extras import require
from sage_select.report.charts.chart import Look, plain_axes
from sage_select.report.charts.labels import label

__all__ = ["Share", "Shares"]


class Share(NamedTuple):
    """A group: its share of all rows, and of the picks."""

    name: str
    pool: float
    picks: float


@dataclass(frozen=True)
class Shares:
    """A line for each group, from its share of all rows to its share of the picks."""

    groups: Sequence[Share]

    dense: ClassVar[bool] = False

    def height(self, narrow: bool) -> float:
        """Return how high the figure is, in inches."""
        return 0.95 + (0.3 if narrow else 0.27) * len(self.groups)

    def draw(self, figure: Any, look: Look) -> None:
        """Draw the lines."""
        axes = plain_axes(figure)
        places = range(len(self.groups))
        pool, picks = [one.pool for one in self.groups], [one.picks for one in self.groups]
        axes.grid(axis="x")
        axes.hlines(places, pool, picks, color=look.random, lw=2.4)
        axes.plot(pool, places, "o", ms=7, color=look.pool, mec=look.surface, label="share of all rows")
        axes.plot(picks, places, "o", ms=8, color=look.picks, mec=look.surface, label="share of the picks")
        most = 16 if look.narrow else 30
        axes.set_yticks(places, [label(one.name, most) for one in self.groups])
        axes.set_ylim(len(self.groups) - 0.4, -0.6)
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", nbins=4 if look.narrow else 9)
        axes.xaxis.set_major_formatter(require("matplotlib.ticker", "report").PercentFormatter(1.0))
        axes.spines["bottom"].set_visible(False)
        figure.legend(
            *axes.get_legend_handles_labels(), loc="outside upper left", ncols=2, handletextpad=0.3, columnspacing=1.4
        )
