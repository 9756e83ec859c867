"""A buffer as it was at an earlier commit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from sage_select.replay.gather import Segment, gathered
from sage_select.replay.state import EVENTS, State, events_table
from sage_select.replay.store.store import Change

__all__ = ["gone_back"]


def gone_back(state: State, before: State, segment: Segment) -> Change:
    """Return the commit that makes a buffer what it was before.

    Parameters
    ----------
    segment
        Function from the number of a segment of that moment to its rows.
    """
    number, update = state.commit + 1, before.counters.updates
    now, then = state.rows, before.rows
    came = np.flatnonzero(~np.isin(then.words, now.words))
    gone = np.flatnonzero(~np.isin(now.words, then.words))
    stays = np.flatnonzero(np.isin(then.words, now.words))
    # A row may have left and come again with other columns: only what lies at one place is the same.
    lies = set(zip(now.segments.tolist(), now.places.tolist(), strict=True))
    written = np.array(
        [one not in lies for one in zip(then.segments.tolist(), then.places.tolist(), strict=True)], bool
    )
    segments, places = then.segments.copy(), then.places.copy()
    segments[written], places[written] = number, np.arange(np.count_nonzero(written))
    found = replace(then, segments=segments, places=places)
    log = [
        events_table("left", now.take(gone), commit=number, update=update, reasons=["rollback"] * len(gone)),
        events_table("entered", found.take(came), commit=number, update=update),
        events_table("scored", found.take(stays), commit=number, update=update),
    ]
    after = replace(before, commit=number, rows=found, forgotten=state.forgotten)
    entered = gathered(before, segment, np.flatnonzero(written)) if written.any() else None
    return Change(after, entered, pa.concat_tables([EVENTS.empty_table(), *log]))
