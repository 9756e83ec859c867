"""Rows that cannot be used: refused all at once, or dropped and counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sage_select import io
from sage_select.engine.base import Talk
from sage_select.engine.frame import Frame
from sage_select.engine.lineage import Cause
from sage_select.ops import Source
from sage_select.render import ShapeOptions, detect_shape, unread_keys, unusable_rows

__all__ = ["frame_of_usable"]

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
    bad, n = rows.bad, rows.table.num_rows
    shape = detect_shape(rows.table.schema, options)
    unread_by_reader = set(bad.kinds)
    for row, error in unusable_rows(rows.table, shape, rows.where):
        if row not in unread_by_reader:
            bad.add(row, error)
    for key, count in unread_keys(rows.table, shape).items():
        talk.notice(f"the key {key!r} of {count:,} messages is read by nothing, unless the chat template asks for it")
    if not len(bad):
        return make(rows)
    most = source.most_bad(n)
    if source.on_bad_row == "error":
        raise bad.error(n, rows.source, "leave them out with --on-bad-row drop, at most 1% of the rows or --max-bad")
    if len(bad) > most or len(bad) == n:
        raise bad.error(n, rows.source, f"at most {most:,} rows may be left out; --max-bad allows more, such as 5%")
    kinds = ", ".join(f"{count:,} times: {kind}" for kind, count in bad.counts().items())
    talk.notice(f"{len(bad):,} of {n:,} rows cannot be used and are left out ({kinds})")
    good = np.ones(n, np.bool_)
    good[list(bad.kinds)] = False
    frame = make(rows.only(np.flatnonzero(good)))
    causes = {row: Cause(_STAGE, kind) for row, kind in sorted(bad.kinds.items())}
    return replace(frame, read=rows, dropped=frame.lineage.among(n, causes, lambda row: str(rows.where(row))))
