"""What a page is made of: plain values, which `page` writes as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sage_select.report.charts.chart import Chart, Tone

__all__ = [
    "Absent",
    "Block",
    "Cell",
    "Code",
    "Figure",
    "Page",
    "RowText",
    "Section",
    "Table",
    "Text",
    "Tone",
    "Verdict",
    "Word",
]


@dataclass(frozen=True)
class RowText:
    """Words of a row, of whoever wrote them: shown as text alone, in their own direction, cut where they are long.

    Attributes
    ----------
    text
        The words; None where they are not known.
    most
        Characters that are shown.
    """

    text: str | None
    most: int = 400


@dataclass(frozen=True)
class Word:
    """A word of ours that stands out in a table, whether it is a good one, and what is said below it."""

    text: str
    tone: Tone = "plain"
    below: str = ""


Cell: TypeAlias = str | RowText | Word


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Verdict:
    """A sentence that stands out, and whether it is a good one."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Absent:
    """Something that is not shown, and why.

    Attributes
    ----------
    what
        What it would have been.
    why
        The reason, and what would bring it.
    """

    what: str
    why: str


@dataclass(frozen=True)
class Table:
    """A table, with a sentence on what it means.

    Attributes
    ----------
    header
        The names of the columns.
    rows
        Their cells.
    meaning
        What it shows, in one sentence.
    numbers
        Places of the columns that hold numbers, which stand to the right.
    cards
        Whether each row is a card of its own where there is no room beside each other: for long texts.
    wide
        Whether it may be wider than the page: it is moved within its box, and its first column stays.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    meaning: str = ""
    numbers: frozenset[int] = frozenset()
    cards: bool = False
    wide: bool = False


@dataclass(frozen=True)
class Code:
    """Lines as they stand in a file.

    Attributes
    ----------
    text
        The lines.
    title
        What they are called.
    meaning
        What they are, in one sentence.
    """

    text: str
    title: str
    meaning: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure, with a sentence on what it means.

    Attributes
    ----------
    name
        What its file is called, without the end; unlike that of any other figure of the page.
    chart
        What is drawn.
    alt
        What it shows, for those who do not see it.
    meaning
        What it means, in one sentence.
    """

    name: str
    chart: Chart
    alt: str
    meaning: str


Block: TypeAlias = Text | Verdict | Absent | Table | Code | Figure


@dataclass(frozen=True)
class Section:
    """A part of a page under a heading.

    Attributes
    ----------
    title
        The heading.
    lead
        What the section answers, in one sentence.
    blocks
        What it shows, from above to below.
    """

    title: str
    lead: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes
    ----------
    title
        What it is about.
    subtitle
        The same in one more sentence.
    headline
        (value, what it is) of the few numbers that stand at the top.
    verdict
        What all of it amounts to, if that is known.
    sections
        Its parts.
    colophon
        Lines at the foot: what wrote it, and from what.
    """

    title: str
    subtitle: str
    headline: Sequence[tuple[str, str]] = ()
    verdict: Verdict | None = None
    sections: Sequence[Section] = ()
    colophon: Sequence[str] = field(default_factory=tuple)

    def figures(self) -> list[Figure]:
        """Return all figures, from above to below."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, Figure)]

    def absent(self) -> list[tuple[str, str]]:
        """Return (what, why) of all that is not shown."""
        return [
            (block.what, block.why)
            for section in self.sections
            for block in section.blocks
            if isinstance(block, Absent)
        ]
