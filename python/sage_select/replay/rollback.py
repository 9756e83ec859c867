"""A buffer as it was at an earlier commit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sage_select.replay.deletion import forgotten_rows
from sage_select.replay.gather import Segment, gathered
from sage_select.replay.settings import BufferSettings
from sage_select.replay.state import Event, State
from sage_select.replay.store.store import Change

__all__ = ["gone_back"]


def gone_back(state: State, before: State, settings: BufferSettings, segment: Segment) -> Change:
    """Return the commit that makes a buffer what it was before.

    Rows that were deleted since do not come back, be it here or in a buffer that was merged.

    Parameters
    ----------
    settings
        Of that moment.
    segment
        Function from the number of a segment of that moment to its rows.
    """
    number, update = state.commit + 1, before.counters.updates
    deleted = forgotten_rows(state, settings, before.rows)
    before = replace(before, rows=before.rows.take(np.setdiff1d(np.arange(before.rows.n), deleted)))
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
        Event("left", now.take(gone).bare(), number, update, ["rollback"] * len(gone)),
        Event("entered", found.take(came).bare(), number, update),
        Event("scored", found.take(stays).bare(), number, update),
    ]
    after = replace(before, commit=number, rows=found, forgotten=state.forgotten)
    entered = gathered(before, segment, np.flatnonzero(written)) if written.any() else None
    return Change(after, entered, log)
