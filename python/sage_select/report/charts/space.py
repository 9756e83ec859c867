"""A map: how densely rows lie, and where the picks are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sage_select.render.extras import require
from sage_select.report.charts.chart import Look, plain_axes

__all__ = ["Space"]

_COUNTS = (10, 100, 1_000, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True)
class Space:
    """Rows in two dimensions.

    Attributes
    ----------
    pool
        (n, 2), where all rows are: they are counted in hexagons.
    picks
        (k, 2), where the picks that are drawn are.
    marks
        (text, x, y) of what is written upon it.
    axes
        What the two axes are.
    """

    pool: NDArray[np.float32] = field(repr=False)
    picks: NDArray[np.float32] = field(repr=False)
    marks: Sequence[tuple[str, float, float]]
    axes: tuple[str, str]

    dense: ClassVar[bool] = True

    def height(self, narrow: bool) -> float:
        """Return how high the figure is, in inches."""
        return 3.5 if narrow else 5.0

    def draw(self, figure: Any, look: Look) -> None:
        """Draw hexagons, and dots upon them."""
        colours = require("matplotlib.colors", "report")
        effects = require("matplotlib.patheffects", "report")
        axes = plain_axes(figure)
        density = colours.LinearSegmentedColormap.from_list("density", look.density)
        across = 30 if look.narrow else 56
        wide, high = np.ptp(self.pool, axis=0)
        # As many lines as make regular hexagons, where both axes have one scale.
        size = (across, int(np.clip(round(across / np.sqrt(3) * high / max(wide, 1e-9)), 2, 3 * across)))
        hexagons = axes.hexbin(
            self.pool[:, 0],
            self.pool[:, 1],
            gridsize=size,
            mincnt=1,
            cmap=density,
            norm=colours.LogNorm(vmin=1) if len(self.pool) > 1 else None,
            linewidths=0.3,
            edgecolors=look.surface,
        )
        k = len(self.picks)
        dot = float(np.clip((9000 if not look.narrow else 2600) / max(k, 1), 2.2 if look.narrow else 3.0, 20.0))
        axes.scatter(
            self.picks[:, 0],
            self.picks[:, 1],
            s=dot,
            color=look.picks,
            edgecolors=look.surface,
            linewidths=0.35 if dot > 4 else 0.15,
            alpha=0.95 if k < 1500 else 0.75,
            label=f"picks ({k:,} drawn)",
        )
        for text, x, y in self.marks:
            written = axes.annotate(text, (x, y), ha="center", va="center", fontsize=8.5, weight="bold", color=look.ink)
            written.set_path_effects([effects.withStroke(linewidth=2.6, foreground=look.surface)])
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xlabel(self.axes[0])
        axes.set_ylabel(self.axes[1])
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines["bottom"].set_visible(False)
        bar = figure.colorbar(
            hexagons, ax=axes, location="bottom", shrink=0.62, aspect=46 if not look.narrow else 30, pad=0.02
        )
        bar.outline.set_visible(False)
        bar.ax.tick_params(which="both", length=0, labelsize=7.5, labelcolor=look.muted)
        bar.ax.minorticks_off()
        most = int(hexagons.get_array().max())
        bar.set_ticks(sorted({1, *(count for count in _COUNTS if count < most / 1.6), most}))
        bar.ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        bar.set_label("rows in a hexagon", fontsize=8)
        legend = figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", handletextpad=0.2)
        legend.legend_handles[0].set_sizes([36.0])
