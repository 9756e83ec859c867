"""How sure a value, or a difference of two, is. Rows are the units: the turns of one row are not independent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from sage_select.evaluate.statistics.distributions import beta_quantile, student_quantile

__all__ = ["FEWEST_ROWS", "Interval", "loss_interval", "rate_interval", "ratio", "too_few", "unit_interval"]

#: With fewer rows than this an interval says more than the rows do.
FEWEST_ROWS: Final = 10
_TAIL: Final = 0.025
#: What values may be off by because sums are rounded.
_ROUNDING: Final = 1e-11

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Interval:
    """A 95 % interval, or why there is none.

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
        return too_few(rows)
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
        return too_few(rows)
    middle = float(np.mean(turns))
    low, high = _by_rows(np.append(changes, (middle, -middle)), np.append(turns, (middle, middle)), rows + 2)
    return Interval((max(low, -1.0), min(high, 1.0)))


def unit_interval(values: Callable[[Floats], Floats], sums: Floats, counted: Sequence[int]) -> Interval:
    """Return the interval for a value between 0 and 1 that is a function of sums over rows.

    The exact binomial bounds (Clopper and Pearson 1934) for as many independent cases as would give the value the
    variance that leaving rows out one by one gives it (the jackknife), with Student's t for the rows (Korn and Graubard
    1998, for samples in clusters). Where each row is one case these are the exact bounds.

    Parameters
    ----------
    values
        Sums (..., parts) -> values (...), NaN where there is none.
    sums
        float64 (rows, parts): what each row adds.
    counted
        Parts of which at least `FEWEST_ROWS` rows must have something.
    """
    rows = int(min((sums[:, place] != 0).sum() for place in counted))
    if rows < FEWEST_ROWS:
        return too_few(rows)
    totals = sums.sum(axis=0)
    value = float(values(totals))
    value = round(value) if abs(value - round(value)) < _ROUNDING else value
    without = values(totals - sums)
    if np.isnan(without).any():
        return Interval(None, "without one of the rows there is no value")
    everyone = len(sums)
    variance = float(np.square(without - value).sum()) * (everyone - 1) / everyone
    cases = float(rows)
    if 0 < value < 1:
        if variance <= _ROUNDING**2:
            return Interval(None, "the value is the same whichever row is left out")
        cases = value * (1 - value) / variance + 1  # the jackknife's variance of a share is p (1 - p) / (n - 1)
        cases *= min(1.0, (student_quantile(cases - 1) / student_quantile(rows - 1)) ** 2)
    low = beta_quantile(_TAIL, cases * value, cases * (1 - value) + 1) if value > 0 else 0.0
    high = beta_quantile(1 - _TAIL, cases * value + 1, cases * (1 - value)) if value < 1 else 1.0
    return Interval((low, high))


def _by_rows(totals: Floats, sizes: Floats, rows: int) -> tuple[float, float]:
    ratio = float(totals.sum() / sizes.sum())
    distances = (totals - ratio * sizes) / (sizes.sum() - sizes)  # what the ratio would be without the row, nearly
    half = student_quantile(rows - 1) * math.sqrt(float(np.square(distances).sum()) * (rows - 1) / rows)
    return ratio - half, ratio + half


def ratio(sums: Floats) -> Floats:
    """Return the first sum over the second: (..., parts) -> (...)."""
    return np.asarray(sums[..., 0] / sums[..., 1])


def too_few(rows: int) -> Interval:
    """Return no interval, for want of rows."""
    return Interval(None, f"too few rows for an interval ({rows} of at least {FEWEST_ROWS})")
