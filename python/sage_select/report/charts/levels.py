"""What came of how much: a value of each arm against what it took, with its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple

from sage_select.report.charts.chart import Look, Tone, plain_axes
from sage_select.report.charts.forest import MARKS
from sage_select.report.charts.labels import label

__all__ = ["Level", "Levels"]

#: Inches between names, and of the figure beside its axes.
_APART: Final = 0.175
_AROUND: Final = 0.75
#: How many times the least the most is for a scale of tenfolds.
_TENFOLDS: Final = 20.0


class Level(NamedTuple):
    """An arm: (what it took, its value) of each seed.

    `control` says whether it is compared with nothing.
    """

    name: str
    seeds: Sequence[tuple[float, float]]
    tone: Tone
    control: bool

    @property
    def mean(self) -> tuple[float, float]:
        """The means of both."""
        n = len(self.seeds)
        return sum(x for x, _ in self.seeds) / n, sum(y for _, y in self.seeds) / n


@dataclass(frozen=True)
class Levels:
    """A point for each seed, a mark for the mean of each arm, and the model before as a line.

    Attributes
    ----------
    levels
        The arms, each with a seed at least.
    took, value
        What is to the right, and what is above.
    base
        The value of the model before; None where it has none.
    near
        A value of `took` that is drawn as a line, and what it is.
    """

    levels: Sequence[Level]
    took: str
    value: str
    base: float | None = None
    near: tuple[float, str] | None = None

    dense: ClassVar[bool] = False

    def height(self, narrow: bool) -> float:
        """Return how high the figure is, in inches."""
        return max(2.9 if narrow else 3.3, _AROUND + 0.25 + _APART * (len(self.levels) + 2))

    def draw(self, figure: Any, look: Look) -> None:
        """Draw points, means and names."""
        axes = plain_axes(figure)
        axes.grid(axis="both")
        for one in self.levels:
            colour = look.ink if one.control else look.of(one.tone)
            axes.plot(*zip(*one.seeds, strict=True), "o", ms=4.5, color=colour, alpha=0.4, mec="none", zorder=2)
            axes.plot(
                *([end] for end in one.mean),
                "D" if one.control else MARKS[one.tone],
                ms=8,
                color=colour,
                mec=look.surface,
                mew=1.2,
                zorder=4,
            )
        self._limits(axes, narrow=look.narrow)
        self._lines(axes, look)
        self._names(axes, look)
        axes.set_xlabel(label(self.took, 60))
        axes.set_ylabel(label(self.value, 40))
        axes.tick_params(axis="y", labelcolor=look.muted)
        axes.locator_params(axis="y", nbins=6)

    def _limits(self, axes: Any, *, narrow: bool) -> None:
        took = [x for one in self.levels for x, _ in one.seeds] + ([] if self.near is None else [self.near[0]])
        least, most = min(took), max(took)
        if least > 0 and most / least > _TENFOLDS:
            axes.set_xscale("log")
            axes.set_xlim(least / 1.4, most * 1.4)
        else:
            # Never so near that a part in a hundred looks like much.
            room = max(0.12 * (most - least), 0.05 * most)
            axes.set_xlim(least - room, most + room)
            axes.locator_params(axis="x", nbins=3 if narrow else 6)
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        values = [y for one in self.levels for _, y in one.seeds] + ([] if self.base is None else [self.base])
        room = max(0.08 * (max(values) - min(values)), 0.02 * max(map(abs, values))) or 0.5
        axes.set_ylim(min(values) - room, max(values) + room)

    def _lines(self, axes: Any, look: Look) -> None:
        if self.base is not None:
            axes.axhline(self.base, color=look.muted, lw=1.3, ls=(0, (5, 3)), zorder=1)
        if self.near is not None:
            axes.axvline(self.near[0], color=look.random, lw=1.3, ls=(0, (2, 2)), zorder=1)
            axes.annotate(
                self.near[1],
                (self.near[0], 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=look.muted,
                annotation_clip=False,
            )

    def _names(self, axes: Any, look: Look) -> None:
        """Write names to the right, as near to the height of their means as they have room."""
        named: list[tuple[float, str, str, float | None]] = [
            (one.mean[1], one.name, look.ink if one.control else look.text(one.tone), one.mean[0])
            for one in self.levels
        ]
        if self.base is not None:
            named.append((self.base, "base model", look.muted, None))
        named.sort(key=lambda one: (one[0], one[1]))
        low, high = axes.get_ylim()
        step = _APART * (high - low) / (self.height(look.narrow) - _AROUND)
        heights = _spread([one[0] for one in named], step, low + step / 2, high - step / 2)
        right = axes.get_xlim()[1]
        for height, (value, name, colour, x) in zip(heights, named, strict=True):
            axes.annotate(
                label(name, 15 if look.narrow else 26),
                (right if x is None else x, value),
                xytext=(1.03 if look.narrow else 1.04, height),
                textcoords=("axes fraction", "data"),
                va="center",
                fontsize=8 if look.narrow else 8.5,
                color=colour,
                annotation_clip=False,
                arrowprops={"arrowstyle": "-", "color": colour, "alpha": 0.35, "lw": 0.8, "shrinkA": 1, "shrinkB": 4},
            )


def _spread(values: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Return rising values, moved so that they are so far apart and within the ends as far as there is room.

    Examples
    --------
    >>> _spread([1.0, 1.0, 5.0], 1.0, 0.0, 9.0)
    [0.5, 1.5, 5.0]
    """
    groups: list[list[float]] = []  # sum of the values that are wanted for the first, and how many hang together
    for value in values:
        groups.append([value, 1.0])
        while len(groups) > 1:
            (first, n), (second, m) = groups[-2:]
            if first / n + n * apart <= second / m:
                break
            groups[-2:] = [[first + second - m * n * apart, n + m]]
    found = [first / n + place * apart for first, n in groups for place in range(int(n))]
    if found and found[-1] > high:
        found = _capped(found, apart, high)
    if found and found[0] < low:
        found = [-one for one in _capped([-one for one in found[::-1]], apart, -low)][::-1]
    return found


def _capped(values: Sequence[float], apart: float, high: float) -> list[float]:
    """Return rising values pushed down below an end, still so far apart."""
    found: list[float] = []
    for value in values[::-1]:
        found.append(min(value, high))
        high = found[-1] - apart
    return found[::-1]
