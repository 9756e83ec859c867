"""The select stage: the strategy's picks."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from sage_select.engine.base import Talk
from sage_select.engine.frame import Frame
from sage_select.errors import UsageError
from sage_select.ops import Select
from sage_select.strategies import Picks, Pool, pick, wish_of

__all__ = ["check_limits", "select_rows"]


def check_limits(frame: Frame, select: Select, seed: int) -> None:
    """Refuse limits that cannot be kept together, before any vector is made.

    Raises
    ------
    UsageError
        As `select_rows`.
    """
    try:
        wish_of(_pool(frame, select, seed), select)
    except UsageError as error:
        raise _with_departures(error, frame) from None


def select_rows(frame: Frame, select: Select, seed: int, talk: Talk, threads: int | None) -> Picks:
    """Return the picks of the strategy among the frame's rows.

    Raises
    ------
    UsageError
        If the limits cannot all be kept, or the strategy lacks what it needs.
    """
    if select.start is not None:
        # Users count the rows of the input.
        select = select.model_copy(update={"start": frame.number(select.start, "start")})
    with talk.progress("selecting") as progress:
        return pick(dataclasses.replace(_pool(frame, select, seed), threads=threads, progress=progress), select)


def _with_departures(error: UsageError, frame: Frame) -> UsageError:
    """Return the error with the rows that left before: they are why there are fewer than the input holds."""
    counts = frame.lineage.counts() if frame.dropped is not None else {}
    if not counts:
        return error
    left = ", ".join(f"{count:,} {cause.reason}" for cause, count in counts.items())
    copies = "; --dedup none (dedup='none') keeps copies" if any(cause.stage == "dedup" for cause in counts) else ""
    note = f"{frame.input_n:,} rows were read, of which left: {left}{copies}"
    return UsageError(
        error.message,
        where=error.where,
        expected=error.expected,
        got=error.got,
        hint=note if error.hint is None else f"{error.hint}\n  note: {note}",
    )


def _pool(frame: Frame, select: Select, seed: int) -> Pool:
    return Pool(
        n=frame.n,
        seed=seed,
        hashes=frame.hashes,
        difficulty=None if frame.scores is None else frame.scores.difficulty,
        matrix=frame.matrix,
        queries=frame.queries,
        pinned=frame.pinned,
        excluded=frame.excluded,
        groups=frame.groups,
        lengths=None if select.budget.tokens is None else _lengths(frame),
        named=frame.named,
        has_ids=frame.ids is not None,
    )


def _lengths(frame: Frame) -> NDArray[np.int64]:
    if not frame.has_lengths:
        raise UsageError("a budget in tokens needs rows", hint="pass data, or lengths as an array")
    return frame.lengths.values
