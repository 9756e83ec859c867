"""Rows that are deleted for good, and the receipt for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import kernels
from sage_select.replay.rows import ReplayRows, words_of
from sage_select.replay.settings import BufferSettings
from sage_select.replay.state import Event, State
from sage_select.replay.store.store import Change, Purge
from sage_select.seeds import stage_key

__all__ = ["Deletion", "Receipt", "deletion", "forgotten_hashes", "forgotten_rows"]

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Receipt:
    """What a deletion did.

    Attributes
    ----------
    commit
        The commit that holds it.
    deleted, absent
        Keyed hashes of the ids that were there, and of those that were not; both never come in again.
    rewritten, removed
        Files that were written without the rows, and files that are gone.
    ended
        Commits that held the rows and can no longer be gone back to.
    """

    commit: int
    deleted: tuple[str, ...]
    absent: tuple[str, ...]
    rewritten: tuple[str, ...]
    removed: tuple[str, ...]
    ended: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Deletion:
    """A deletion that is to be made.

    Attributes
    ----------
    change
        The commit.
    ids, names
        Every id that was named, and what it is called from then on.
    deleted, absent
        Which of the names are those of rows that were there, and which are not.
    """

    change: Change
    ids: pa.Array
    names: pa.Array
    deleted: tuple[str, ...]
    absent: tuple[str, ...]

    def receipt(self, commit: int, purge: Purge) -> Receipt:
        """Return the receipt, once the deletion has been made."""
        return Receipt(commit, self.deleted, self.absent, purge.rewritten, purge.removed, purge.ended)


def forgotten_hashes(settings: BufferSettings, ids: pa.Array) -> NDArray[np.uint64]:
    """Return by what deleted rows are remembered: 64 bits of each id, keyed by the seed of the buffer."""
    return kernels.keyed_hashes(stage_key(settings.seed, "replay forgotten"), ids)


def forgotten_rows(state: State, settings: BufferSettings, rows: ReplayRows) -> NDArray[np.int64]:
    """Return which rows were deleted once."""
    if not state.forgotten or not rows.n:
        return np.empty(0, np.int64)
    return np.flatnonzero(np.isin(forgotten_hashes(settings, rows.ids), np.array(state.forgotten, np.uint64)))


def deletion(state: State, settings: BufferSettings, ids: pa.Array) -> Deletion:
    """Return the commit in which rows of these ids are deleted."""
    ids = pc.unique(ids)
    hashes = forgotten_hashes(settings, ids)
    names = [f"deleted:{one:016x}" for one in hashes.tolist()]
    number = state.commit + 1
    is_there = pc.is_in(state.rows.ids, ids).to_numpy(zero_copy_only=False)
    gone = np.flatnonzero(is_there)
    leaving, staying = state.rows.take(gone), state.rows.take(np.flatnonzero(~is_there))
    known = set(leaving.ids.to_pylist())
    there = [name for name, one in zip(names, ids.to_pylist(), strict=True) if one in known]
    absent = [name for name, one in zip(names, ids.to_pylist(), strict=True) if one not in known]
    events = [Event("deleted", leaving.bare(), number, state.counters.updates)]
    after = replace(
        state,
        commit=number,
        rows=staying,
        counters=state.counters.plus(deleted=len(gone)),
        policy_state=settings.policy.without(state.policy_state, staying, words_of(ids), settings.seed),
        forgotten=tuple(sorted({*state.forgotten, *hashes.tolist()})),
    )
    return Deletion(Change(after, None, events), ids, pa.array(names, pa.string()), _bare(there), _bare(absent))


def _bare(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(name.removeprefix("deleted:") for name in names))
