"""Scores that no rule can rank rows by, and scores that rank few rows: what becomes of the rows, and what is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from sage_select.data import Cause, Dataset
from sage_select.display import counted
from sage_select.errors import DataError, UsageError, Where
from sage_select.pipeline.run import Reporter
from sage_select.scorers import finite_scores

__all__ = ["GOES_ON", "OnBadScore", "tell_ties", "usable_scores"]

OnBadScore = Literal["error", "drop", "lowest"]
#: How to go on where scores are refused.
GOES_ON: Final = "--on-bad-score drop leaves such rows out, and lowest puts them behind all others"

_NAMED: Final = 3
_WHY: Final = "its score is null, NaN or infinite"
_FLOAT32_MOST: Final = float(np.finfo(np.float32).max)
#: Scores have few values where there are at most so many, and so many rows to each.
_FEW_VALUES: Final = 32
_ROWS_TO_EACH: Final = 10
#: So many scores, spread over all, say whether there may be few values.
_SAMPLED: Final = 1024


def usable_scores(
    values: NDArray[Any],
    data: Dataset,
    where: Where,
    *,
    on_bad: OnBadScore,
    higher_is_harder: bool,
    stage: str,
    pinned: Callable[[], NDArray[np.int64]],
    reporter: Reporter,
) -> tuple[Dataset, NDArray[np.float32]]:
    """Return the rows and their scores, all of them finite; those that are not are refused, left out or put last.

    Parameters
    ----------
    values, data
        One number for each row that is in, and the rows.
    where
        The file or column of the numbers.
    on_bad
        What becomes of rows without a usable score.
    higher_is_harder
        Which end is hard: `lowest` is the other.
    stage
        Which stage the row report names.
    pinned
        Gives the rows that are selected in any case, and cannot leave.
    reporter
        Who is told how many rows there were, and the first of them.

    Raises
    ------
    DataError
        If there are such rows and `on_bad` is `error`, or there are no others.
    UsageError
        If one that would leave is pinned.
    """
    if on_bad == "error":
        return data, finite_scores(values, data, where, hint=GOES_ON)
    wide = np.asarray(values, np.float64)
    bad = ~(np.abs(wide) <= _FLOAT32_MOST)
    count = int(np.count_nonzero(bad))
    if not count:
        return data, wide.astype(np.float32)
    if count == data.n:
        raise DataError(
            f"no row has a score that can be used: {counted(count, 'row')}, and all scores are null, NaN or infinite",
            where=Where(file=where.file, column=where.column),
            hint="name another column or file of scores, or score the rows anew",
        )
    rows = np.flatnonzero(bad)
    named = ", ".join(data.label(int(row)) for row in rows[:_NAMED]) + (", ..." if count > _NAMED else "")
    said = f"no score that can be used (null, NaN or infinite) in {counted(count, 'row')} of {data.n:,}"
    if on_bad == "drop":
        _refuse_pinned(rows[np.isin(rows, pinned())], data)
        reporter.notice(f"{said}, left out: {named}")
        return data.drop(bad, Cause(stage, _WHY)), wide[~bad].astype(np.float32)
    easiest = wide[~bad].min() if higher_is_harder else wide[~bad].max()
    reporter.notice(f"{said}, put last with {easiest:g}, the score of the easiest of all others: {named}")
    return data, np.where(bad, easiest, wide).astype(np.float32)


def _refuse_pinned(rows: NDArray[np.int64], data: Dataset) -> None:
    if len(rows):
        more = f" (more such rows: {len(rows) - 1:,})" if len(rows) > 1 else ""
        raise UsageError(
            f"a row is pinned, and has no score that can be used{more}",
            got=data.label(int(rows[0])),
            hint="--on-bad-score lowest keeps such rows; or take it off the pinned ones",
        )


def tell_ties(scores: NDArray[np.float32], reporter: Reporter) -> None:
    """Say so where scores tell no rows apart, or few: then the order of rows decides among equal ones."""
    n = len(scores)
    if n < 2 or len(np.unique(scores[:: max(1, n // _SAMPLED)])) > _FEW_VALUES:
        return
    values, counts = np.unique(scores, return_counts=True)
    if len(values) == 1:
        reporter.notice(
            f"all {n:,} rows have the same score, {values[0]:g}: it tells none of them apart, and a choice by score is "
            "one by the order of the rows"
        )
    elif len(values) <= _FEW_VALUES and n >= _ROWS_TO_EACH * len(values):
        least, most = (f"{values[at]:g} ({counted(int(counts[at]), 'row')})" for at in (0, -1))
        reporter.notice(
            f"the scores of {n:,} rows have {len(values)} values, from {least} to {most}: among rows of the same score "
            "a choice by score goes by the order of the rows"
        )
