"""How figures of a comparison are written, the same in every section of its page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sage_select.comparison.judging import ArmFigures
from sage_select.comparison.result import Word
from sage_select.display import displayed
from sage_select.report.blocks import Tone
from sage_select.report.text import shown

__all__ = ["TONES", "called", "change", "file_name", "interval", "p_value", "value"]

TONES: Final[Mapping[Word, Tone]] = {
    "better": "good",
    "worse": "bad",
    "failed": "bad",
    "not distinguishable": "plain",
    "control": "plain",
    "no verdict": "plain",
}
#: Characters of a name.
_MOST: Final = 60
_MINUS: Final = "\N{MINUS SIGN}"


def called(text: str) -> str:
    """Return the name of an arm or metric as others may see it, cut where it is long."""
    return shown(displayed(text), _MOST)


def value(number: float | None) -> str:
    """Return a value with four digits, nothing where there is none.

    Examples
    --------
    >>> value(0.123456), value(12.0), value(None)
    ('0.1235', '12', '')
    """
    return "" if number is None else f"{number:.4g}".replace("-", _MINUS)


def change(figures: ArmFigures) -> str:
    """Return how an arm differs from its control, with its sign."""
    if figures.difference is None or figures.difference.value is None:
        return ""
    return f"{figures.difference.value:+.3g}".replace("-", _MINUS)


def interval(figures: ArmFigures) -> str:
    """Return the interval of that, or why there is none."""
    if figures.difference is None:
        return figures.why_none or ""
    if figures.difference.value is None:
        return f"none: {figures.difference.why_none}"
    bounds = figures.difference.interval.bounds
    if bounds is None:
        return f"none: {figures.difference.interval.why_none}"
    return f"{bounds[0]:+.3g} to {bounds[1]:+.3g}".replace("-", _MINUS)


def p_value(figures: ArmFigures) -> str:
    """Return the adjusted p-value."""
    p = None if figures.verdict is None else figures.verdict.p_adjusted
    if p is None:
        return ""
    return f"{p:.2g}" if p >= 1e-4 else "below 0.0001"


def file_name(text: str) -> str:
    r"""Return text as a part of the name of a file.

    Examples
    --------
    >>> file_name("tool_accuracy"), file_name('a/"><b>')
    ('tool-accuracy', 'a-b')
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower() or "metric"
