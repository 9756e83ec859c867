"""How values are spread: of all rows, of random rows, and of the picks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sage_select.render.extras import require
from sage_select.report.charts.chart import Look, plain_axes

__all__ = ["Histogram"]


@dataclass(frozen=True)
class Histogram:
    """Shares of rows by classes of a value.

    Attributes
    ----------
    edges
        (c + 1,) where classes begin and end, or the names of c classes.
    pool, picks
        (c,) shares of all rows, and of the picks.
    random
        (least, mean, most) of the shares of random subsets, each (c,); None where there are none.
    unit
        What the values are.
    """

    edges: Sequence[float] | Sequence[str]
    pool: Sequence[float]
    picks: Sequence[float]
    random: tuple[Sequence[float], Sequence[float], Sequence[float]] | None
    unit: str

    dense: ClassVar[bool] = False

    def height(self, narrow: bool) -> float:
        """Return how high the figure is, in inches."""
        return 2.7 if narrow else 2.9

    def draw(self, figure: Any, look: Look) -> None:
        """Draw all rows as an area, random rows as a band, and the picks as a line."""
        axes = plain_axes(figure)
        named = len(self.edges) == len(self.pool)
        edges = [place - 0.5 for place in range(len(self.pool) + 1)] if named else list(map(float, self.edges))
        axes.grid(axis="y")
        axes.stairs(self.pool, edges, fill=True, color=look.pool, alpha=0.45, label="all rows")
        if self.random is not None:
            least, mean, most = self.random
            axes.stairs(
                most,
                edges,
                baseline=list(least),
                fill=True,
                color=look.random,
                alpha=0.85,
                label="random subsets, least to most",
            )
            axes.stairs(mean, edges, baseline=None, color=look.muted, lw=1.1, ls=(0, (3, 2)), label="their mean")
        axes.stairs(self.picks, edges, baseline=0, color=look.picks, lw=2.1, label="picks")
        if named:
            every = -(-len(self.edges) // (6 if look.narrow else 14))
            axes.set_xticks(range(0, len(self.edges), every), [str(one) for one in self.edges][::every])
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(bottom=0)
        axes.set_xlabel(self.unit)
        axes.yaxis.set_major_formatter(require("matplotlib.ticker", "report").PercentFormatter(1.0))
        axes.tick_params(axis="y", labelcolor=look.muted)
        figure.legend(
            *axes.get_legend_handles_labels(),
            loc="outside upper left",
            ncols=2 if look.narrow else 4,
            handlelength=1.4,
            columnspacing=1.3,
        )
