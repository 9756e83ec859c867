"""How arms differ from what they are compared with, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple

from sage_select.report.charts.chart import Look, Tone, plain_axes
from sage_select.report.charts.labels import label

__all__ = ["MARKS", "Differs", "Forest"]

#: What is good, bad and neither, for those who do not tell the colours apart.
MARKS: Final[dict[Tone, str]] = {"good": "^", "bad": "v", "plain": "o"}
_MINUS: Final = "\N{MINUS SIGN}"


class Differs(NamedTuple):
    """A difference and its interval; None where there is none, which `told` says."""

    name: str
    value: float | None
    bounds: tuple[float, float] | None
    tone: Tone
    told: str


@dataclass(frozen=True)
class Forest:
    """A line for each, around zero.

    Attributes
    ----------
    differing
        What is drawn, from above to below.
    unit
        What differs.
    higher
        Whether higher is better.
    """

    differing: Sequence[Differs]
    unit: str
    higher: bool

    dense: ClassVar[bool] = False

    def height(self, narrow: bool) -> float:
        """Return how high the figure is, in inches."""
        return 0.95 + (0.52 if narrow else 0.36) * len(self.differing)

    def draw(self, figure: Any, look: Look) -> None:
        """Draw the lines."""
        axes = plain_axes(figure)
        ends = [end for one in self.differing for end in (one.bounds or (one.value,)) if end is not None]
        reach = 1.08 * max((abs(end) for end in ends), default=1.0) or 1.0
        axes.grid(axis="x")
        axes.axvline(0, color=look.muted, lw=1.2, zorder=1)
        for place, one in enumerate(self.differing):
            colour = look.of(one.tone)
            if one.bounds is not None:
                axes.hlines(place, *one.bounds, color=colour, lw=2.6, alpha=0.85, capstyle="round", zorder=2)
            if one.value is not None:
                hollow = look.surface if one.bounds is None else colour
                axes.plot(
                    [one.value],
                    [place],
                    MARKS[one.tone],
                    ms=8.5,
                    mfc=hollow,
                    mec=colour if one.bounds is None else look.surface,
                    mew=1.4,
                    zorder=3,
                )
            axes.annotate(
                one.told.replace("-", _MINUS) if one.value is not None else one.told,
                (1, place),
                xycoords=("axes fraction", "data"),
                xytext=(0, 11) if look.narrow else (8, 0),
                textcoords="offset points",
                ha="right" if look.narrow else "left",
                va="center",
                fontsize=8.5,
                color=look.text(one.tone),
                weight="normal" if one.tone == "plain" else "bold",
            )
            if look.narrow:
                axes.annotate(
                    label(one.name, 24),
                    (0, place),
                    xycoords=("axes fraction", "data"),
                    xytext=(0, 11),
                    textcoords="offset points",
                    va="center",
                    fontsize=8.5,
                    color=look.ink,
                )
        axes.set_xlim(-reach, reach)
        axes.set_ylim(len(self.differing) - 0.4, -0.8 if look.narrow else -0.6)
        axes.set_yticks(
            range(len(self.differing)), ["" if look.narrow else label(one.name, 30) for one in self.differing]
        )
        axes.locator_params(axis="x", nbins=5 if look.narrow else 9)
        ways = ("worse", "better") if self.higher else ("better", "worse")
        axes.set_xlabel(
            f"{ways[0]}  \N{LEFTWARDS ARROW}  {label(self.unit, 30)}, less the control  \N{RIGHTWARDS ARROW}  {ways[1]}"
        )
        axes.spines["bottom"].set_visible(False)
