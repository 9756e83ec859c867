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
    place = dict(zip(now.words.tolist(), range(now.n), strict=True))
    same = np.array([place[word] for word in then.words[stays].tolist()], np.int64)
    segments, places = np.full(then.n, number), np.zeros(then.n, np.int64)
    segments[stays], places[stays] = now.segments[same], now.places[same]
    places[came] = np.arange(len(came))
    found = replace(then, segments=segments, places=places)
    log = [
        events_table("left", now.take(gone), commit=number, update=update, reasons=["rollback"] * len(gone)),
        events_table("entered", found.take(came), commit=number, update=update),
        events_table("scored", found.take(stays), commit=number, update=update),
    ]
    after = replace(before, commit=number, rows=found, forgotten=state.forgotten)
    entered = gathered(before, segment, came) if len(came) else None
    return Change(after, entered, pa.concat_tables([EVENTS.empty_table(), *log]))
