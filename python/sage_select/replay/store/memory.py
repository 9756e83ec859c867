"""A buffer in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pyarrow as pa

from sage_select.errors import UsageError
from sage_select.replay.gather import gathered
from sage_select.replay.settings import BufferSettings
from sage_select.replay.state import EVENTS, Event, State, log_of, renamed
from sage_select.replay.store.store import RETAINED, Change, Purge, Store

__all__ = ["MemoryStore"]

#: Segments of a state from which on they are joined.
_SEGMENTS = 8


class MemoryStore(Store):
    """Segments, log and states of a buffer that lies nowhere else."""

    name = "<memory>"

    def __init__(self, settings: BufferSettings) -> None:
        self._settings = settings
        self._states: dict[int, tuple[BufferSettings, State]] = {0: (settings, State())}
        self._segments: dict[int, pa.Table] = {}
        #: In which segments the rows of each state lie.
        self._live: dict[int, frozenset[int]] = {0: frozenset()}
        #: The log up to the last deletion, and what happened since.
        self._purged = EVENTS.empty_table()
        self._events: list[Event] = []
        self._snapshots: list[int] = []

    def another(self) -> MemoryStore:
        """Return this one: all commits are at hand."""
        return self

    def latest(self) -> int:
        """Return the number of the last commit."""
        return max(self._states)

    def load(self, commit: int | None = None) -> tuple[BufferSettings, State]:
        """Return settings and state of a commit."""
        number = self.latest() if commit is None else commit
        if number not in self._states:
            raise UsageError("there is no such commit", expected=", ".join(map(str, self.commits())), got=str(number))
        return self._states[number]

    def commits(self) -> list[int]:
        """Return the commits that can be gone back to."""
        return sorted(self._states)

    def snapshots(self) -> list[int]:
        """Return the commits that are held."""
        return list(self._snapshots)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only one to write: nobody else is there."""
        yield

    def commit(self, settings: BufferSettings, change: Change, snapshots: Sequence[int]) -> State:
        """Make a commit."""
        state = change.state
        if change.entered is not None:
            self._segments[state.commit] = change.entered
        self._events += change.events
        self._snapshots = list(snapshots)
        before = self._states.get(state.commit - 1)
        self._states[state.commit] = (settings, state.bare())
        if before is not None and before[1].rows.segments is state.rows.segments:
            self._live[state.commit] = self._live[state.commit - 1]
        else:
            self._live[state.commit] = frozenset(state.rows.lies_in)
            if len(self._live[state.commit]) > _SEGMENTS:
                self._join(settings, state)
        gone = state.commit - RETAINED
        for number in [one for one in self._states if one <= gone and one not in self._snapshots]:
            del self._states[number], self._live[number]
        self._collect()
        return self._states[state.commit][1]

    def segment(self, number: int) -> pa.Table:
        """Return the rows of a segment."""
        return self._segments[number]

    def history(self) -> pa.Table:
        """Return the log."""
        return pa.concat_tables([self._purged, log_of(self._events)])

    def purge(self, settings: BufferSettings, change: Change, ids: pa.Array, names: pa.Array) -> tuple[State, Purge]:
        """Delete rows from the log and from segments; older commits end."""
        ended = tuple(self.commits())
        self._events += change.events
        self._purged, self._events = renamed(self.history(), ids, names), []
        self._snapshots = []
        self._states, self._live = {}, {}
        self._join(settings, change.state)
        self._collect()
        return self._states[change.state.commit][1], Purge((), (), ended)

    def _collect(self) -> None:
        """Forget segments in which no state has rows."""
        if len(self._segments) > len(self._live[max(self._live)]):
            live = frozenset().union(*self._live.values())
            self._segments = {number: table for number, table in self._segments.items() if number in live}

    def _join(self, settings: BufferSettings, state: State) -> None:
        """Make a commit of which all rows lie in one segment, of a number that no commit has."""
        number, n = -state.commit - 1, state.rows.n
        if n:
            self._segments[number] = gathered(state, self.segment).combine_chunks()
        joined = replace(state.rows, segments=np.full(n, number), places=np.arange(n))
        self._states[state.commit] = (settings, replace(state, rows=joined).bare())
        self._live[state.commit] = frozenset({number})
