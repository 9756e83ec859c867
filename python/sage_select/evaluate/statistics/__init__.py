"""How sure figures and differences are: intervals, tests and verdicts over rows, without torch."""

from __future__ import annotations

from sage_select.evaluate.statistics.distributions import mcnemar, student_p, student_quantile
from sage_select.evaluate.statistics.intervals import (
    FEWEST_ROWS,
    Interval,
    loss_interval,
    rate_interval,
    unit_interval,
)

__all__ = [
    "FEWEST_ROWS",
    "Interval",
    "loss_interval",
    "mcnemar",
    "rate_interval",
    "student_p",
    "student_quantile",
    "unit_interval",
]
