"""A page as HTML: one file that asks for nothing, holds no script, and shows text of others as text."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from importlib import resources
from typing import Final, NamedTuple

from sage_select.render.extras import require
from sage_select.report.blocks import Block, Cell, Page, RowText, Word
from sage_select.report.charts.chart import Drawn, drawn
from sage_select.report.text import shown

__all__ = ["Written", "written"]

_EXTRA: Final = "report"
#: Characters of our own words and of names, which are short unless somebody made them long.
_MOST: Final = 2_000
#: Letters of a word that a column has room for.
_LETTERS: Final = 16


class Written(NamedTuple):
    """A page, and its figures by the names of their files."""

    html: str
    figures: dict[str, bytes]


def written(page: Page, progress: Callable[[int, int], None] | None = None) -> Written:
    """Return a page as HTML, and its figures as PNG; the same page gives the same bytes.

    Parameters
    ----------
    page
        What it shows.
    progress
        Called with (figures drawn, figures).

    Raises
    ------
    ResourceError
        Where jinja2 or matplotlib is not installed.

    Notes
    -----
    Each figure stands in it four times, for a desk and a phone by day and by night, and costs about a second.
    """
    jinja2 = require("jinja2", _EXTRA)
    figures: dict[str, Drawn] = {}
    wanted = page.figures()
    for done, figure in enumerate(wanted, 1):
        if figure.name in figures:
            raise ValueError(f"two figures are called {figure.name}")
        figures[figure.name] = drawn(figure.chart)
        if progress is not None:
            progress(done, len(wanted))
    style = _file("page.css")
    markup = require("markupsafe", _EXTRA).Markup
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"shown": _shown, "sentence": _sentence, "lines": _lines}
    environment.tests |= {
        "block": _is_block,
        "row_text": lambda cell: isinstance(cell, RowText),
        "name": _is_name,
        "word": lambda cell: isinstance(cell, Word),
    }
    html = environment.from_string(_file("page.html.jinja")).render(
        page=page,
        figures=figures,
        style=style,
        data=_data,
        joint=markup("_<wbr>"),
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
    return Written(html, {f"{name}.png": one.png for name, one in figures.items()})


def _file(name: str) -> str:
    return resources.files("sage_select.report").joinpath(name).read_text(encoding="utf-8")


def _shown(cell: Cell | None) -> str:
    if isinstance(cell, RowText):
        return shown(cell.text or "", cell.most)
    return shown(cell.text if isinstance(cell, Word) else cell or "", _MOST)


def _lines(text: str) -> str:
    """Return lines of a file, each shown as a line of its own."""
    return "\n".join(shown(line, _MOST) for line in text.split("\n"))


def _sentence(text: str) -> str:
    """Return a reason as a sentence."""
    told = _shown(text)
    end = "" if told.endswith((".", "!", "?")) else "."
    return f"{told[:1].upper()}{told[1:]}{end}"


def _data(one: Drawn, narrow: bool, dark: bool) -> str:
    """Return an image as an address that holds all of it."""
    return f"data:{one.mime};base64,{base64.b64encode(one.images[narrow, dark]).decode()}"


def _is_name(cell: Cell) -> bool:
    """Tell whether a cell holds so few letters that it is broken between words and at underscores alone."""
    return isinstance(cell, str) and 0 < max(map(len, cell.replace("_", " ").split()), default=0) <= _LETTERS


def _is_block(block: Block, kind: str) -> bool:
    return type(block).__name__ == kind
