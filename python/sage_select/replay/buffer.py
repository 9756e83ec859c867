"""A bounded memory of rows seen before, from which training replays some."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc

from sage_select.errors import SageError, SageWarning, UsageError
from sage_select.paths import user_path
from sage_select.replay.deletion import Receipt, deletion
from sage_select.replay.gather import gathered
from sage_select.replay.mixing import mixed
from sage_select.replay.offered import as_table, ids_of, offered, some_ids
from sage_select.replay.ratio import Ratio
from sage_select.replay.rollback import gone_back
from sage_select.replay.settings import BufferSettings
from sage_select.replay.state import State
from sage_select.replay.store import FolderStore, MemoryStore, Store
from sage_select.replay.store.store import Change
from sage_select.replay.update import Updated, merged, resized, updated
from sage_select.replay.view import BufferView

__all__ = ["ReplayBuffer"]

Shortfall = Literal["report", "repeat", "error"]


class ReplayBuffer(BufferView):
    """A bounded memory of rows seen before, from which training replays some.

    It lies in a folder of Arrow and Parquet files, or in memory. A change is a commit, which is there as a whole or not
    at all, whatever dies when; one process writes at a time, and readers, who take no lock, see the commit that they
    opened. The same rows, settings and seed make the same buffer on every machine.

    Parameters
    ----------
    store, settings, state
        `ReplayBuffer.open` makes them.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from sage_select import ReplayBuffer
    >>> buffer = ReplayBuffer.open(None, capacity=3, seed=7)
    >>> week = pa.table({"sage_row_id": ["a", "b", "c", "d", "e"], "text": ["1", "2", "3", "4", "5"]})
    >>> buffer.update(week).entered, len(buffer)
    (3, 3)
    >>> new = pa.table({"sage_row_id": ["f", "g", "h", "i"], "text": ["6", "7", "8", "9"]})
    >>> buffer.mix(new, ratio=0.25)["sage_origin"].to_pylist()
    ['selected', 'selected', 'selected', 'selected', 'replay']
    """

    def __init__(self, store: Store, settings: BufferSettings, state: State, *, pinned: bool = False) -> None:
        super().__init__(store, settings, state)
        self._pinned = pinned

    # -- opening

    @classmethod
    def open(
        cls,
        path: str | Path | None,
        capacity: int | None = None,
        policy: str | None = None,
        seed: int | None = None,
        *,
        draw: str | None = None,
        id_column: str | None = None,
        commit: int | None = None,
        create: bool = True,
        verify: bool = True,
        **options: Any,
    ) -> Self:
        """Return the buffer of a folder; a new one where there is none.

        Parameters
        ----------
        path
            The folder; None for a buffer in memory.
        capacity
            Rows there may be: 2048 for a new buffer where nothing is said, and what it was made with for another.
        policy
            Which rows stay: reservoir for a new buffer where nothing is said.
        seed
            What all draws depend on, 0 where nothing is said.
        draw
            Which rows are drawn: uniform where nothing is said.
        id_column
            The column whose values name rows: `sage_row_id` where nothing is said.
        commit
            A commit to look at in place of the last one; such a buffer cannot be changed.
        create
            Whether to make a buffer where there is none.
        verify
            Whether files must have the digests that the manifest says.
        **options
            Those of the policy and of the rule of drawing.

        Raises
        ------
        UsageError
            An option is unknown, out of range, or not what the buffer was made with; there is none and `create` is
            false.
        DataError
            The buffer is damaged, or of a newer version.
        OutputError
            Something else is in the folder.
        ResourceError
            The folder cannot be made.
        """
        given = {"capacity": capacity, "policy": policy, "seed": seed, "draw": draw, "id_column": id_column, **options}
        if path is None:
            if commit is not None:
                raise UsageError("a new buffer in memory has no commits", got=f"commit={commit}")
            store: Store = MemoryStore(BufferSettings.make(**given))
            return cls(store, *store.load())
        folder = user_path(path)
        if FolderStore.is_there(folder):
            store = FolderStore(folder, verify=verify)
        elif create and commit is None:
            store = FolderStore.create(folder, BufferSettings.make(**given))
        else:
            raise UsageError("there is no replay buffer", where=str(folder), hint="make one: sage-select replay init")
        settings, state = store.load(commit)
        settings.refuse_other(given, str(folder))
        return cls(store, settings, state, pinned=commit is not None)

    def refresh(self) -> None:
        """Look at the last commit, where another process has made some."""
        if not self._pinned and self._store.latest() != self.commit:
            known = self._state
            self._settings, state = self._store.load()
            self._show(state)
            if (known.counters.draws, known.draw_state) != (state.counters.draws, state.draw_state):
                self._draw_from(state)  # another process has drawn

    # -- drawing

    def mix(
        self,
        new_rows: Any,
        ratio: float | str | Fraction = 0.25,
        basis: str = "of_new",
        *,
        lengths: Any = None,
        interleave: bool = False,
        on_shortfall: Shortfall = "report",
        compat: Literal["sage"] | None = None,
    ) -> pa.Table:
        """Return new rows and rows replayed beside them; what the ratio still owes is remembered. Nothing is inserted.

        Parameters
        ----------
        new_rows
            A table with ids.
        ratio
            How much is replayed: 0.25 is one row for each four that are new. A fraction as it is written: "1/3" is one.
        basis
            Of what it is a share: `of_new`, of the new rows; `of_total`, of all rows that come back;
            `tokens_of_total`, of their tokens, which `lengths` and those given to `update` tell.
        lengths
            The tokens of each new row, or a column of them.
        interleave
            Whether replayed rows stand among the new ones, evenly; else they follow them.
        on_shortfall
            Where fewer rows are there than are owed: `report` warns and replays those, `repeat` draws again, `error`
            refuses.
        compat
            `sage` replays `max(1, int(n * ratio))` rows of a batch, and owes nothing.

        Returns
        -------
        pyarrow.Table
            The columns of both, and `sage_origin`: `replay` for replayed rows. No row is replayed that is among the new
            ones.

        Raises
        ------
        UsageError
            The ratio has no meaning on that basis, tokens are not known, or rows are missing and that is an error.
        DataError
            An id is null or there twice; columns of new and replayed rows have other types.
        OutputError
            Another process is writing the buffer.
        """
        wanted = Ratio.of(ratio, basis)
        table = as_table(new_rows)
        new = offered(table, self._settings.id_column, lengths=lengths)
        with self._changing():
            state = self._state
            found = mixed(
                state,
                new,
                wanted,
                self._eligible(new.rows.ids),
                self._drawn,
                on_shortfall=on_shortfall,
                compat=compat,
            )
            replayed = None if state.schema is None else self._payload(found.rows)
            joined = found.joined(table, replayed, interleave=interleave)
            if found.draws or found.carry != dict(state.carry):
                self._steps += found.draws
                counters = state.counters.plus(replayed=len(found.rows), short=found.short)
                self._commit(Change(replace(self._next(), counters=counters, carry=found.carry), None))
        if found.short:
            text = f"{found.due:,} rows to replay, and {found.due - found.short:,} there"
            warnings.warn(text, SageWarning, stacklevel=2)
        return joined

    # -- changing

    def update(
        self,
        rows: Any,
        *,
        scores: Any = None,
        embeddings: Any = None,
        groups: Any = None,
        lengths: Any = None,
        logits: pa.Array | None = None,
        evolve: bool = False,
    ) -> Updated:
        """Offer rows; return when what became of them is on the disk.

        Parameters
        ----------
        rows
            Anything with `__arrow_c_stream__`, or a list of dictionaries. Each row has an id.
        scores
            One finite number a row, or a column of them: losses, weights, priorities.
        embeddings
            One vector a row, (n, d), or a list column.
        groups
            The class or task of each row, or a column of it.
        lengths
            The tokens of each row, or a column of them.
        logits
            What a model said of each row, an Arrow array of any type, always the same; null where it was not asked.
            It lies beside the rows that come in: `logits` gives it back, and no table or draw shows it. A row that is
            there keeps what it came with.
        evolve
            Whether columns may come that earlier rows have not, and be missing that these have: they are null then.

        Returns
        -------
        Updated
            What became of the rows, in numbers.

        Raises
        ------
        UsageError
            The rows are no table, or lack what the policy needs.
        DataError
            An id is null, there twice or missing; a score is no finite number; a column has another type than before,
            or vectors another width.
        OutputError
            Another process is writing the buffer.
        ResourceError
            The disk is full, or cannot be written.

        Notes
        -----
        A row that is there counts as seen; where scores are given it has the new one from now on, unless the policy
        goes by the first. A row that was deleted never comes back.
        """
        new = offered(
            rows,
            self._settings.id_column,
            scores=scores,
            embeddings=embeddings,
            groups=groups,
            lengths=lengths,
            logits=logits,
            plain=self._state.schema,
        )
        with self._changing():
            change, told = updated(self._state, self._settings, new, self.table, evolve=evolve)
            if change is not None:
                self._commit(change)
                told = replace(told, commit=self.commit)
        return told

    def entering(
        self,
        rows: Any,
        *,
        scores: Any = None,
        embeddings: Any = None,
        groups: Any = None,
        lengths: Any = None,
        evolve: bool = False,
    ) -> pa.Array:
        """Return the ids of the rows that would come in if they were offered now, string (n,); nothing is changed.

        Parameters and errors are those of `update`; no lock is taken, so that another process may change the buffer
        before the rows are offered.
        """
        self.refresh()
        new = offered(
            rows, self._settings.id_column, scores=scores, embeddings=embeddings, groups=groups, lengths=lengths
        )
        change, _ = updated(self._state, self._settings, new, self.table, evolve=evolve)
        came = None if change is None else change.entered
        return pa.array([], pa.string()) if came is None else ids_of(came, self._settings.id_column)

    def delete(self, ids: Any = None, *, where: pc.Expression | None = None) -> Receipt:
        """Delete rows for good: from the buffer, its files, its log and all older commits, and refuse them ever after.

        Parameters
        ----------
        ids
            Ids, or rows. Rows that are not there are remembered as well, and never come in.
        where
            A condition on the columns, such as `pyarrow.compute.field("user") == "u17"`.

        Returns
        -------
        Receipt
            What was deleted, by keyed hashes, and which files were rewritten or removed.

        Raises
        ------
        UsageError
            Neither is given, or the condition is none of these columns.
        """
        if (ids is None) == (where is None):
            raise UsageError("give ids, or a condition", got="both" if ids is not None else "neither")
        with self._changing():
            chosen = some_ids(ids, self._settings.id_column) if where is None else self._ids_where(where)
            if not len(chosen):
                return Receipt(self.commit, (), (), (), (), ())
            gone = deletion(self._state, self._settings, chosen)
            state, purge = self._store.purge(self._settings, self._with_draws(gone.change), gone.ids, gone.names)
            self._show(state)
        return gone.receipt(self.commit, purge)

    def resize(self, capacity: int) -> Updated:
        """Change how many rows there may be.

        A smaller buffer lets rows go as its policy says. A larger reservoir admits rows that come below its threshold
        alone: a sample cannot be made larger without the rows that it was drawn from.
        """
        if capacity is None:
            raise UsageError("how many rows there may be", expected="a whole number", got="None")
        with self._changing():
            settings = BufferSettings.make(**{**self._settings.settings(), "capacity": capacity})
            change, told = resized(self._state, settings, self.table)
            self._settings = settings
            self._commit(change)
        return replace(told, commit=self.commit)

    def merge(self, other: ReplayBuffer) -> Updated:
        """Take in the buffer of another stream.

        Two reservoirs of the same seed make that of both streams, bit for bit; under other policies the rows of the
        other are offered in the order in which they came there.

        Raises
        ------
        UsageError
            Policies or seeds differ.
        """
        if not isinstance(other, ReplayBuffer):
            raise UsageError("only a replay buffer can be merged", got=type(other).__name__)
        with self._changing():
            rows = gathered(other._state, other._store.segment)
            change, told = merged(self._state, self._settings, other._state, other._settings, rows, self.table)
            self._commit(change)
        return replace(told, commit=self.commit)

    def snapshot(self) -> int:
        """Hold the commit of this moment, so that it can be gone back to, and return its number."""
        with self._changing():
            held = sorted({*self._store.snapshots(), self.commit})
            number = self.commit
            self._commit(Change(self._next(), None), held)
        return number

    def release(self, commit: int) -> None:
        """No longer hold the commit of a snapshot."""
        with self._changing():
            held = self._store.snapshots()
            if commit not in held:
                raise UsageError(
                    "there is no such snapshot", expected=", ".join(map(str, held)) or "none", got=str(commit)
                )
            self._commit(Change(self._next(), None), [one for one in held if one != commit])

    def rollback(self, commit: int) -> None:
        """Make the buffer what it was at a commit. That is a commit, too: it can be gone back from.

        Raises
        ------
        UsageError
            There is no such commit any more.
        """
        with self._changing():
            store = self._store.another()
            settings, old = store.load(commit)
            change = gone_back(self._state, old, settings, store.segment)
            self._settings = settings
            self._draw_from(old)
            self._commit(change)

    # -- inside

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Be the only writer, on the last commit."""
        if self._pinned:
            raise UsageError(
                "an older commit cannot be changed", where=self._store.name, hint="open the buffer without commit"
            )
        with self._store.writing():
            self.refresh()
            before = self._settings, self._steps, self._draw_state
            try:
                yield
            except BaseException:
                # What was not committed has not happened, here as on the disk.
                self._settings, self._steps, self._draw_state = before
                with contextlib.suppress(SageError):  # unless it was what came after the commit that failed
                    self.refresh()
                raise

    def _next(self) -> State:
        """Return the state of the next commit, in which nothing is changed."""
        return replace(self._state, commit=self._state.commit + 1)

    def _commit(self, change: Change, snapshots: list[int] | None = None) -> None:
        held = self._store.snapshots() if snapshots is None else snapshots
        self._show(self._store.commit(self._settings, self._with_draws(change), held))

    def _with_draws(self, change: Change) -> Change:
        """Return the change with the draws that there were since the last commit."""
        state = change.state
        if state.counters.draws == self._steps and state.draw_state is self._draw_state:
            return change
        counters = replace(state.counters, draws=self._steps)
        return replace(change, state=replace(state, counters=counters, draw_state=self._draw_state))

    def _ids_where(self, where: pc.Expression) -> pa.Array:
        if not isinstance(where, pc.Expression):
            raise UsageError(
                "a condition on columns", expected='pyarrow.compute.field("user") == "u17"', got=type(where).__name__
            )
        try:
            found = self.table().filter(where)
        except (pa.ArrowException, KeyError) as error:
            raise UsageError("the condition cannot be met", got=str(error).split("\n", 1)[0][:200]) from None
        return ids_of(found, self._settings.id_column)
