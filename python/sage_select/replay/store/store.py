"""What a store does: holds segments, the log and the commits of a buffer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from sage_select.replay.settings import BufferSettings
from sage_select.replay.state import Event, State

__all__ = ["RETAINED", "Change", "Purge", "Store"]

#: Commits that can be gone back to, beside those of snapshots.
RETAINED: Final = 8


@dataclass(frozen=True)
class Change:
    """What a commit brings.

    Attributes
    ----------
    state
        The buffer after it. Rows that came have the number of the commit as their segment.
    entered
        The rows that came, in the order of their places; None where none did.
    events
        What happened to rows.
    """

    state: State
    entered: pa.Table | None
    events: Sequence[Event] = ()


@dataclass(frozen=True)
class Purge:
    """What a deletion rewrote.

    Attributes
    ----------
    rewritten, removed
        Files that were written again without the rows, and files that are gone.
    ended
        Older commits, which held the rows and can no longer be gone back to.
    """

    rewritten: tuple[str, ...]
    removed: tuple[str, ...]
    ended: tuple[int, ...]


class Store(ABC):
    """Where a buffer lies."""

    #: What messages call it.
    name: str

    @abstractmethod
    def another(self) -> Store:
        """Return another look at the same buffer, which may show another commit."""

    @abstractmethod
    def latest(self) -> int:
        """Return the number of the last commit."""

    @abstractmethod
    def load(self, commit: int | None = None) -> tuple[BufferSettings, State]:
        """Return settings and state of a commit, by default the last one."""

    @abstractmethod
    def commits(self) -> list[int]:
        """Return the commits that can be gone back to, the oldest first."""

    @abstractmethod
    def snapshots(self) -> list[int]:
        """Return the commits that are held until they are released."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[None]:
        """Be the only one to write while the block runs."""

    @abstractmethod
    def commit(self, settings: BufferSettings, change: Change, snapshots: Sequence[int]) -> State:
        """Make a commit and return the state that it made; its rows may lie elsewhere than those of the change."""

    @abstractmethod
    def segment(self, number: int) -> pa.Table:
        """Return the rows of a segment."""

    @abstractmethod
    def history(self) -> pa.Table:
        """Return the log of all commits."""

    @abstractmethod
    def purge(self, settings: BufferSettings, change: Change, ids: pa.Array, names: pa.Array) -> tuple[State, Purge]:
        """Make a commit in which rows are deleted, and with which all older commits end.

        Parameters
        ----------
        ids
            Those of the rows.
        names
            What the log calls them from now on.
        """
