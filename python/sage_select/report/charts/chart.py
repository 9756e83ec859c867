"""What a chart is, the colours it is drawn in, and how it becomes SVG and PNG."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Protocol, TypeAlias

from sage_select.render.extras import require

__all__ = ["DARK", "LIGHT", "Chart", "Drawn", "Look", "Tone", "drawn", "plain_axes", "plotting"]

#: Whether something is a good thing to see.
Tone: TypeAlias = Literal["good", "bad", "plain"]

#: Inches: of a figure on a desk and on a phone.
_WIDE: Final = 7.4
_NARROW: Final = 3.5
#: Of the PNG files, and of what is drawn as points within SVG.
_DPI: Final = 160
_COLOURS: Final = 128
_EXTRA: Final = "report"


@dataclass(frozen=True)
class Look:
    """Colours, and whether there is little room.

    Attributes
    ----------
    ink, muted, grid, surface
        Of text, of text of less weight, of lines behind, and of what is behind all.
    picks, pool, random
        Of the selection, of all rows, and of random rows: the same in every figure.
    good, bad
        Of what is better than what it is compared with, and of what is worse.
    density
        From few to many.
    narrow
        Whether it is drawn for a phone.
    """

    ink: str
    muted: str
    grid: str
    surface: str
    picks: str
    pool: str
    random: str
    good: str
    bad: str
    density: tuple[str, ...]
    narrow: bool = False

    def of(self, tone: Tone) -> str:
        """Return the colour of what is good, bad or neither."""
        return {"good": self.good, "bad": self.bad, "plain": self.pool}[tone]

    def text(self, tone: Tone) -> str:
        """Return the same for words, which are harder to see than marks."""
        return self.muted if tone == "plain" else self.of(tone)


LIGHT: Final = Look(
    ink="#1b2530",
    muted="#55616f",
    grid="#e3e6ea",
    surface="#ffffff",
    picks="#d9480f",
    pool="#8fa3b8",
    random="#b9c2cc",
    good="#1f7a4d",
    bad="#b3261e",
    density=("#d9e3ec", "#b9cbdc", "#93aec8", "#6b8eb0", "#456c94", "#274b74"),
)
DARK: Final = Look(
    ink="#e8ebef",
    muted="#a3aebb",
    grid="#2d3641",
    surface="#1a2029",
    picks="#ff8a3d",
    pool="#66809c",
    random="#56626f",
    good="#6fd3a0",
    bad="#ff9d94",
    density=("#273443", "#304559", "#3d5a77", "#4f7597", "#6c94b8", "#9cc0e0"),
)


class Chart(Protocol):
    """Values that can be drawn.

    Attributes
    ----------
    dense
        Whether it has so many shapes that it is kept as points (PNG), not as shapes (SVG).
    """

    dense: ClassVar[bool]

    def height(self, narrow: bool) -> float:
        """Return how high the figure is, in inches."""
        ...

    def draw(self, figure: Any, look: Look) -> None:
        """Draw upon an empty matplotlib figure.

        Labels are of our own words; of others only what `charts.labels.label` returns.
        """
        ...


@dataclass(frozen=True)
class Drawn:
    """A figure for the page, by room and light, and as PNG for use elsewhere.

    Attributes
    ----------
    images
        (narrow, dark) -> bytes.
    mime
        Of what type they are.
    png
        Wide and light.
    size, narrow_size
        Width and height in CSS pixels, for the room that the page leaves before it is drawn.
    """

    images: dict[tuple[bool, bool], bytes]
    mime: str
    png: bytes
    size: tuple[int, int]
    narrow_size: tuple[int, int]


def drawn(chart: Chart) -> Drawn:
    """Return a chart, drawn for a desk and a phone, by day and by night; the same chart gives the same bytes.

    Raises
    ------
    ResourceError
        Where matplotlib is not installed.
    """
    images = {}
    for narrow in (False, True):
        for dark in (False, True):
            image = _saved(chart, _look(narrow, dark), "png" if chart.dense else "svg")
            images[narrow, dark] = _of_few_colours(image) if chart.dense else image
    mime = "image/png" if chart.dense else "image/svg+xml"
    return Drawn(images, mime, _saved(chart, LIGHT, "png"), _size(chart, narrow=False), _size(chart, narrow=True))


def _of_few_colours(png: bytes) -> bytes:
    """Return an image with a palette: a third of the bytes, and nobody sees it."""
    images = require("PIL.Image", _EXTRA)
    buffer = io.BytesIO()
    with images.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(_COLOURS, dither=images.Dither.NONE).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def _look(narrow: bool, dark: bool) -> Look:
    one = DARK if dark else LIGHT
    return Look(**{**one.__dict__, "narrow": narrow})


def _size(chart: Chart, *, narrow: bool) -> tuple[int, int]:
    width = _NARROW if narrow else _WIDE
    return round(100 * width), round(100 * chart.height(narrow))


def _saved(chart: Chart, look: Look, form: str) -> bytes:
    with plotting(look) as figure_of:
        figure = figure_of(figsize=(_NARROW if look.narrow else _WIDE, chart.height(look.narrow)), layout="constrained")
        chart.draw(figure, look)
        buffer = io.BytesIO()
        # Neither dates nor versions: the same values are the same bytes.
        metadata = (
            {"Date": None, "Creator": None, "Format": None, "Type": None} if form == "svg" else {"Software": None}
        )
        figure.savefig(buffer, format=form, dpi=_DPI, metadata=metadata)
    return buffer.getvalue()


@contextmanager
def plotting(look: Look) -> Iterator[Any]:
    """Yield matplotlib's class of figures, with our settings and nobody else's while the block runs.

    Raises
    ------
    ResourceError
        Where matplotlib is not installed.
    """
    matplotlib = require("matplotlib", _EXTRA)
    figures = require("matplotlib.figure", _EXTRA)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.hashsalt": "sage-select",
                "svg.fonttype": "path",
                "text.parse_math": False,
                "font.family": "DejaVu Sans",
                "font.size": 9.0,
                "text.color": look.ink,
                "axes.edgecolor": look.grid,
                "axes.labelcolor": look.muted,
                "axes.facecolor": "none",
                "axes.labelsize": 8.5,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.spines.left": False,
                "figure.facecolor": look.surface,
                "savefig.facecolor": look.surface,
                "grid.color": look.grid,
                "grid.linewidth": 0.8,
                "xtick.color": look.grid,
                "ytick.color": look.grid,
                "xtick.labelcolor": look.muted,
                "ytick.labelcolor": look.ink,
                "xtick.labelsize": 8.5,
                "ytick.labelsize": 8.5,
                "legend.frameon": False,
                "legend.fontsize": 8.5,
                "legend.labelcolor": look.muted,
                "figure.constrained_layout.h_pad": 0.06,
                "figure.constrained_layout.w_pad": 0.06,
            }
        )
        yield figures.Figure


def plain_axes(figure: Any) -> Any:
    """Return the axes of a figure that has one, without ticks that say nothing."""
    axes = figure.add_subplot()
    axes.tick_params(length=0)
    axes.set_axisbelow(True)
    return axes
