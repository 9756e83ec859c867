"""How sure a difference between two models is. Rows are the units: the turns of one row are not independent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np

__all__ = ["FEWEST_ROWS", "Interval", "loss_interval", "rate_interval", "student_quantile"]

#: With fewer rows than this an interval says more than the rows do.
FEWEST_ROWS: Final = 10
_LEVEL: Final = 0.95

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Interval:
    """A 95 % interval for a difference, or why there is none.

    Parameters
    ----------
    bounds
        Its ends; None where there is none.
    why_none
        The reason, else None.
    """

    bounds: tuple[float, float] | None
    why_none: str | None = None


def loss_interval(differences: Floats, tokens: Floats) -> Interval:
    """Return the interval for a difference of mean losses.

    Student's t over rows, for a ratio of two sums: how much it moves when a row is left out (the jackknife; Efron and
    Stein 1981).

    Parameters
    ----------
    differences
        Of each row, the difference of its summed losses.
    tokens
        Of each row, its tokens, more than 0.
    """
    rows = len(differences)
    if not np.any(differences):
        return Interval(None, "the two are the same on every row")
    if rows < FEWEST_ROWS:
        return _too_few(rows)
    return Interval(_by_rows(differences, tokens, rows))


def rate_interval(changes: Floats, turns: Floats) -> Interval:
    """Return the interval for a difference of two rates.

    As `loss_interval`, with two rows of middle size added, one that gains all its turns and one that loses them, so
    that it holds for few rows and rare changes (Bonett and Price 2012, for pairs).

    Parameters
    ----------
    changes
        Of each row, the turns that became right less those that became wrong.
    turns
        Of each row, its turns, more than 0.
    """
    rows = len(changes)
    if not np.any(changes):
        return Interval(None, "the two are equal on every row")
    if rows < FEWEST_ROWS:
        return _too_few(rows)
    middle = float(np.mean(turns))
    low, high = _by_rows(np.append(changes, (middle, -middle)), np.append(turns, (middle, middle)), rows + 2)
    return Interval((max(low, -1.0), min(high, 1.0)))


def student_quantile(degrees: int) -> float:
    """Return the 97.5 % point of Student's t, by its expansion around the normal (Fisher and Cornish 1960).

    Examples
    --------
    >>> round(student_quantile(9), 2)
    2.26
    """
    z = NormalDist().inv_cdf((1 + _LEVEL) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / degrees**power for power, term in enumerate(terms, start=1))


def _by_rows(totals: Floats, sizes: Floats, rows: int) -> tuple[float, float]:
    ratio = float(totals.sum() / sizes.sum())
    distances = (totals - ratio * sizes) / (sizes.sum() - sizes)  # what the ratio would be without the row, nearly
    half = student_quantile(rows - 1) * math.sqrt(float(np.square(distances).sum()) * (rows - 1) / rows)
    return ratio - half, ratio + half


def _too_few(rows: int) -> Interval:
    return Interval(None, f"too few rows for an interval ({rows} of at least {FEWEST_ROWS})")
