"""Means over seeds, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

__all__ = ["Estimate", "estimate"]


class Estimate(NamedTuple):
    """A mean over seeds and half the width of its 95 % interval, in points; None where one seed leaves it unknown."""

    mean: float
    half: float | None

    def __str__(self) -> str:
        """Return the mean, and what it may be off by."""
        return f"{self.mean:.1f}" if self.half is None else f"{self.mean:.1f} ± {self.half:.1f}"


def estimate(values: Sequence[float]) -> Estimate:
    """Return the mean of shares, in points, with Student's interval.

    Examples
    --------
    >>> str(estimate([0.5, 0.52, 0.54]))
    '52.0 ± 5.0'
    """
    points = 100 * np.asarray(values)
    if len(points) < 2:
        return Estimate(float(points.mean()), None)
    error = points.std(ddof=1) / len(points) ** 0.5
    return Estimate(float(points.mean()), float(student.ppf(0.975, len(points) - 1) * error))
