"""How sure figures and differences are: intervals, tests and verdicts over rows, without torch."""

from __future__ import annotations

from sage_select.evaluate.statistics.distributions import mcnemar, student_p, student_quantile
from sage_select.evaluate.statistics.intervals import (
    FEWEST_ROWS,
    Interval,
    loss_interval,
    rate_interval,
    ratio,
    unit_interval,
)
from sage_select.evaluate.statistics.paired import DRAWS, Difference, compare_rows, paired_bootstrap, swap_test
from sage_select.evaluate.statistics.verdicts import LEVEL, Verdict, holm, verdicts

__all__ = [
    "DRAWS",
    "FEWEST_ROWS",
    "LEVEL",
    "Difference",
    "Interval",
    "Verdict",
    "compare_rows",
    "holm",
    "loss_interval",
    "mcnemar",
    "paired_bootstrap",
    "rate_interval",
    "ratio",
    "student_p",
    "student_quantile",
    "swap_test",
    "unit_interval",
    "verdicts",
]
