"""Rows that cannot be used: refused all at once, or dropped and counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sage_select import io
from sage_select.display import counted
from sage_select.engine.base import Talk
from sage_select.engine.frame import Frame
from sage_select.engine.lineage import Cause
from sage_select.ops import Source
from sage_select.render import ShapeOptions, detect_shape, unread_keys, unusable_rows

__all__ = ["bad_rows_of", "frame_of_usable", "refuse_bad_rows", "usable"]

_STAGE = "source"


def frame_of_usable(
    rows: io.Rows, options: ShapeOptions, source: Source, talk: Talk, make: Callable[[io.Rows], Frame]
) -> Frame:
    """Return the frame that `make` makes of the rows that can be used; the others left it, each for its reason.

    Parameters
    ----------
    rows
        All rows, those that the reader could not read among them.
    options
        How they are read.
    source
        Says what is done about bad rows, and how many there may be.
    talk
        Where notices go.
    make
        Makes the frame.

    Raises
    ------
    DataError
        Where there are bad rows and they are not to be dropped, or more of them than may be.
    """
    n = rows.table.num_rows
    bad = bad_rows_of(rows, options, talk)
    if not len(bad):
        return make(rows)
    refuse_bad_rows(bad, n, rows.source, source, n)
    kinds = ", ".join(f"{count:,} times: {kind}" for kind, count in bad.counts().items())
    talk.notice(f"{len(bad):,} of {n:,} rows cannot be used and are left out ({kinds})")
    frame = make(usable(rows, bad))
    causes = {row: Cause(_STAGE, kind) for row, kind in sorted(bad.kinds.items())}
    return replace(frame, read=rows, dropped=frame.lineage.among(n, causes, lambda row: str(rows.where(row))))


def bad_rows_of(rows: io.Rows, options: ShapeOptions, talk: Talk) -> io.BadRows:
    """Return the rows that cannot be used, those that the reader could not read among them."""
    bad, shape = rows.bad, detect_shape(rows.table.schema, options)
    unread_by_reader = set(bad.kinds)
    for row, error in unusable_rows(rows.table, shape, rows.where):
        if row not in unread_by_reader:
            bad.add(row, error)
    for key, count in unread_keys(rows.table, shape).items():
        talk.notice(f"the key {key!r} of {count:,} messages is read by nothing, unless the chat template asks for it")
    return bad


def usable(rows: io.Rows, bad: io.BadRows) -> io.Rows:
    """Return the rows without the bad ones."""
    good = np.ones(rows.table.num_rows, np.bool_)
    good[[row for row in bad.kinds if row < len(good)]] = False
    return rows.only(np.flatnonzero(good))


def refuse_bad_rows(bad: io.BadRows, looked_at: int, name: str, source: Source, n: int) -> None:
    """Raise where there are bad rows among those looked at, and they are not to be dropped of `n` rows in all.

    Raises
    ------
    DataError
        As `frame_of_usable`.
    """
    if not len(bad):
        return
    most = source.most_bad(n)
    if source.on_bad_row == "error":
        raise bad.error(looked_at, name, "--on-bad-row drop leaves such rows out, at most 1% of all (--max-bad)")
    if len(bad) == n:
        raise bad.error(looked_at, name, "no row would be left: mend them")
    if len(bad) > most:
        raise bad.error(
            looked_at, name, f"at most {counted(most, 'row')} may be left out; --max-bad allows more, such as 5%"
        )
