"""A buffer in a folder: immutable files, and one manifest for each commit, the last to get its name.

`rows-N.arrow` holds the rows that came with commit N, `events-N.parquet` its log, `members-N.parquet` all rows of the
buffer at commit N, from which later logs go on. A commit writes what it brings, and now and then what lies about in too
many files. Readers take no lock: they read the last manifest and what it names, all of which stays as it is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sage_select.errors import DataError, OutputError, ResourceError, UsageError
from sage_select.io.commit.files import Files, HashedFile
from sage_select.io.commit.lock import locked
from sage_select.io.guards.damage import damage_errors
from sage_select.io.tables.digest import digest_bytes
from sage_select.replay.gather import gathered
from sage_select.replay.settings import BufferSettings
from sage_select.replay.state import EVENTS, Event, State, log_of, renamed
from sage_select.replay.store.held import HeldFile
from sage_select.replay.store.manifest import Manifest, Part, read_manifest
from sage_select.replay.store.members import members_of
from sage_select.replay.store.names import (
    commits_in,
    is_hidden,
    is_ours,
    is_temporary,
    manifest_name,
    temporary_of,
)
from sage_select.replay.store.store import RETAINED, Change, Purge, Store

__all__ = ["FolderStore"]

_Found = TypeVar("_Found")
#: Logs, or segments, from which on they are joined: a commit opens as many files at most.
_FILES: Final = 64


class FolderStore(Store):
    """A buffer in a folder."""

    def __init__(self, path: Path, files: Files | None = None, *, verify: bool = True) -> None:
        self.path = path
        self.name = str(path)
        self._files = Files() if files is None else files
        self._verify = verify
        self._shown: Manifest | None = None
        self._opened: dict[Part, HeldFile] = {}
        self._tables: dict[Part, pa.Table] = {}
        self._names: dict[int, frozenset[str]] = {}

    @classmethod
    def create(cls, path: Path, settings: BufferSettings, files: Files | None = None) -> FolderStore:
        """Make a buffer in a folder that is not there, or is empty.

        Raises
        ------
        OutputError
            Something else is there.
        ResourceError
            The folder that is to hold it is not there, or cannot be written.
        """
        store = cls(path, files)
        with store._refused("the replay buffer cannot be made"):
            if not path.parent.is_dir():
                raise ResourceError("the folder that is to hold the replay buffer is not there", where=str(path.parent))
            if os.path.lexists(path) and (not path.is_dir() or any(not is_hidden(one.name) for one in path.iterdir())):
                raise OutputError(
                    "is no replay buffer, and something is there", where=str(path), hint="name another folder"
                )
            if not path.is_dir():
                store._files.make_folder(path)
            with store._locked():
                if not commits_in(path):
                    store._write_manifest(Manifest.new(settings))
        return store

    @classmethod
    def is_there(cls, path: Path) -> bool:
        """Tell whether a folder holds a buffer."""
        return bool(commits_in(path))

    def another(self) -> FolderStore:
        """Return another look at the same folder."""
        return FolderStore(self.path, self._files, verify=self._verify)

    def latest(self) -> int:
        """Return the number of the last commit."""
        numbers = commits_in(self.path)
        if not numbers:
            raise UsageError("there is no replay buffer", where=self.name, hint="make one: sage-select replay init")
        return numbers[-1]

    def digest(self, commit: int) -> str:
        """Return the digest of the manifest of a commit, which names all that the buffer is then."""
        with self._refused("the replay buffer cannot be read"):
            return digest_bytes((self.path / manifest_name(commit)).read_bytes())

    def commits(self) -> list[int]:
        """Return the commits that can be gone back to."""
        oldest = 0
        with contextlib.suppress(DataError):  # where the last is damaged, those before it can be looked at all the same
            oldest = self._last().oldest
        return [one for one in commits_in(self.path) if one >= oldest]

    def snapshots(self) -> list[int]:
        """Return the commits that are held."""
        return list(self._last().snapshots)

    def load(self, commit: int | None = None) -> tuple[BufferSettings, State]:
        """Return settings and state of a commit.

        Raises
        ------
        UsageError
            There is no such commit any more.
        DataError
            A file is damaged, missing, or of a newer version.
        ResourceError
            A file cannot be read.
        """

        def found() -> tuple[BufferSettings, State]:
            if commit is not None and commit not in (known := self.commits()):
                raise UsageError(
                    "there is no such commit", where=self.name, expected=", ".join(map(str, known)), got=str(commit)
                )
            manifest = self._read(self.latest() if commit is None else commit)
            tables = [self._log(one) for one in manifest.open_events]
            members = None if manifest.members is None else self._log(manifest.members)
            self._hold(manifest)
            return manifest.settings, manifest.state(members_of(members, tables))

        return self._beside_writers(found)

    def _last(self) -> Manifest:
        """Return the manifest of the last commit."""
        return self._beside_writers(lambda: self._read(self.latest()))

    def _beside_writers(self, read: Callable[[], _Found]) -> _Found:
        """Return what is read from the last commit; once more where a writer removed its files meanwhile."""
        while True:
            numbers = commits_in(self.path)
            try:
                with self._refused("the replay buffer cannot be read", but=FileNotFoundError):
                    return read()
            except FileNotFoundError as error:
                if commits_in(self.path) == numbers:
                    raise DataError("a file is missing", where=str(error.filename or self.name)) from None

    @property
    def _manifest(self) -> Manifest:
        """That of the commit which is shown."""
        if self._shown is None:
            self.load()
            return self._manifest
        return self._shown

    def segment(self, number: int) -> pa.Table:
        """Return the rows of a segment.

        Raises
        ------
        DataError
            It is damaged, or missing.
        """
        part = self._manifest.segments[number]
        if part not in self._tables:
            with self._refused("the replay buffer cannot be read"):
                data = self._checked(part, self._opened[part].read())
            with damage_errors(str(self.path / part.file), "an Arrow file"):
                self._tables[part] = pa.ipc.open_file(pa.py_buffer(data)).read_all()
        return self._tables[part]

    def history(self) -> pa.Table:
        """Return the log."""
        tables = self._beside_writers(lambda: [self._log(one) for one in self._read(self.latest()).events])
        return pa.concat_tables([EVENTS.empty_table(), *tables])

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only one to write, what a killed writer left behind swept."""
        with self._refused("the replay buffer cannot be written"), self._locked():
            with contextlib.suppress(DataError):  # whoever reads it says what is wrong
                self._sweep(self._read(self.latest()))
            yield

    def commit(self, settings: BufferSettings, change: Change, snapshots: Sequence[int]) -> State:
        """Make a commit: its files first, each brought to the disk, then its manifest."""
        last, state, entered = self._manifest, change.state, change.entered
        segments, open_events = dict(last.segments), list(last.open_events)
        closed, members = list(last.events[: last.open_from]), last.members
        joins = len(segments) >= _FILES
        if joins:
            state, entered = self._joined(state, entered, _smallest(state, segments))
        if entered is not None and entered.num_rows:
            segments[state.commit] = self._write_rows(state.commit, entered)
        name = f"events-{state.commit:010d}.parquet"
        if joins or len(open_events) >= _FILES:  # the log does not tell of rows that lie elsewhere from now on
            log = pa.concat_tables([*(self._log(one) for one in open_events), log_of(change.events)])
            closed, open_events = [*closed, self._write_parquet(name, log)], []
            members = self._write_members(state)
        elif change.events:
            open_events.append(self._write_parquet(name, log_of(change.events)))
        live = set(state.rows.lies_in)
        manifest = Manifest.of(
            settings,
            state,
            oldest=last.oldest,
            snapshots=snapshots,
            segments={number: part for number, part in segments.items() if number in live},
            events=[*closed, *open_events],
            open_from=len(closed),
            members=members,
        )
        self._write_manifest(manifest)
        return state.bare()

    def purge(self, settings: BufferSettings, change: Change, ids: pa.Array, names: pa.Array) -> tuple[State, Purge]:
        """Make a commit of new files alone, with which all others go."""
        before = {one.name for one in self.path.iterdir() if is_ours(one.name)}
        ended = self.commits()
        log = renamed(self.history(), ids, names)
        state, rows = self._joined(change.state, None, [*self._manifest.segments])
        number = state.commit
        segments = {} if rows is None else {number: self._write_rows(number, rows)}
        events = self._write_parquet(
            f"events-{number:010d}.parquet", pa.concat_tables([log, renamed(log_of(change.events), ids, names)])
        )
        manifest = Manifest.of(
            settings,
            state,
            oldest=number,
            snapshots=(),
            segments=segments,
            events=[events],
            open_from=1,
            members=self._write_members(state),
        )
        self._write_manifest(manifest)
        try:
            self._sweep(manifest)
            self._files.sync_folder(self.path)
        except OSError as error:
            raise ResourceError(
                "the rows are deleted, and files that hold them could not be removed",
                where=self.name,
                got=error.strerror or str(error),
                hint="the next change of the buffer removes them",
            ) from None
        after = {one.name for one in self.path.iterdir() if is_ours(one.name)}
        return state.bare(), Purge(tuple(sorted(after - before)), tuple(sorted(before - after)), tuple(ended))

    # -- what is written

    def _joined(self, state: State, entered: pa.Table | None, which: Sequence[int]) -> tuple[State, pa.Table | None]:
        """Return the state with the rows of some segments in that of its own number, and that segment."""

        def segment(number: int) -> pa.Table:
            return entered if number == state.commit and entered is not None else self.segment(number)

        moved = np.flatnonzero(np.isin(state.rows.segments, [*which, state.commit]))
        if not len(moved):
            return state, entered
        table = gathered(state, segment, moved).combine_chunks()
        segments, places = state.rows.segments.copy(), state.rows.places.copy()
        segments[moved], places[moved] = state.commit, np.arange(len(moved))
        return replace(state, rows=replace(state.rows, segments=segments, places=places)), table

    def _write_rows(self, number: int, table: pa.Table) -> Part:
        name = f"rows-{number:010d}.arrow"
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table.combine_chunks())
        part = self._write(name, sink, table.num_rows)
        self._tables[part] = table
        return part

    def _write_parquet(self, name: str, table: pa.Table) -> Part:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        return self._write(name, sink, table.num_rows)

    def _write_members(self, state: State) -> Part:
        rows = Event("member", state.rows, state.commit, state.counters.updates).table()
        return self._write_parquet(f"members-{state.commit:010d}.parquet", rows)

    def _write_manifest(self, manifest: Manifest) -> None:
        name = manifest_name(manifest.commit)
        with self._new(name) as file:
            file.write(manifest.text().encode())
        self._files.sync_folder(self.path)
        self._files.rename(temporary_of(self.path, name), self.path / name)
        self._files.sync_folder(self.path)
        self._hold(manifest)
        with contextlib.suppress(OSError):  # the commit is made; what is left over is swept by the next
            self._sweep(manifest)

    @contextlib.contextmanager
    def _new(self, name: str) -> Iterator[HashedFile]:
        """Write a file under a temporary name, and bring it to the disk."""
        place = temporary_of(self.path, name)
        self._files.remove(place)
        file = HashedFile(self._files, place)
        with contextlib.closing(file):
            yield file
            file.finish()

    def _write(self, name: str, sink: pa.BufferOutputStream, rows: int) -> Part:
        """Write a file at once, where Arrow would in parts of a few bytes."""
        with self._new(name) as file:
            file.write(sink.getvalue())
        self._files.rename(temporary_of(self.path, name), self.path / name)
        return Part(file=name, digest=file.digest, rows=rows)

    # -- what is read

    def _hold(self, manifest: Manifest) -> None:
        """Open the segments of a commit, so that they can be read whatever a writer removes meanwhile."""
        parts = set(manifest.segments.values())
        self._opened = {part: self._opened.get(part) or HeldFile(self.path / part.file) for part in parts}
        self._tables = {part: table for part, table in self._tables.items() if part in parts}
        self._shown = manifest

    def _read(self, number: int) -> Manifest:
        place = self.path / manifest_name(number)
        manifest = read_manifest(place, verify=self._verify)
        if manifest.commit != number:
            raise DataError("is the manifest of another commit", where=str(place), got=str(manifest.commit))
        return manifest

    def _checked(self, part: Part, data: bytes) -> bytes:
        """Return the bytes of a file, or refuse others than were written."""
        if self._verify and digest_bytes(data) != part.digest:
            raise DataError(
                "is damaged, or has been changed",
                where=str(self.path / part.file),
                expected=part.digest,
                got=digest_bytes(data),
                hint="a commit before it may be whole: open it with commit=, or go back to it with rollback",
            )
        return data

    def _log(self, part: Part) -> pa.Table:
        """Return a file of the log, or of all rows."""
        data = self._checked(part, (self.path / part.file).read_bytes())
        with damage_errors(str(self.path / part.file), "a Parquet file"):
            # Without Arrow's threads, which a process that ends at once may leave in the middle of their beginning.
            table = pq.ParquetFile(pa.BufferReader(data), pre_buffer=False).read(use_threads=False)
        if table.schema.names != EVENTS.names:
            raise DataError("is no log of a replay buffer", where=str(self.path / part.file))
        return table.cast(EVENTS)

    # -- who writes

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        busy = OutputError(
            "another process is writing the replay buffer", where=self.name, hint="wait for it, or name another buffer"
        )
        with locked(self.path / ".lock", busy=busy):
            yield

    @contextlib.contextmanager
    def _refused(self, message: str, but: type[OSError] | None = None) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if but is not None and isinstance(error, but):
                raise
            raise ResourceError(message, where=self.name, got=error.strerror or str(error)) from None

    def _sweep(self, last: Manifest) -> None:
        """Remove commits that are too old, and the files of ours that no commit names; the caller holds the lock."""
        numbers = commits_in(self.path)
        held = [one for one in numbers if one > last.commit - RETAINED or one in last.snapshots]
        held = [one for one in held if last.oldest <= one <= last.commit]
        named: set[str] = set()
        for one in held:
            try:
                named |= self._named_by(one, last)
            except DataError:
                return  # what an unreadable commit names is not known: nothing goes
        self._names = {one: self._names[one] for one in held}
        gone = [
            entry
            for entry in self.path.iterdir()
            if (is_ours(entry.name) and entry.name not in named) or is_temporary(entry.name)
        ]
        # Manifests first: what they name goes after them.
        for entry in sorted(gone, key=lambda one: (not one.name.startswith("manifest"), one.name)):
            self._files.remove(entry)

    def _named_by(self, number: int, last: Manifest) -> frozenset[str]:
        """Return the files that a commit needs."""
        if number not in self._names:
            manifest = last if number == last.commit else self._read(number)
            names = (manifest_name(number), *(part.file for part in manifest.parts()))
            self._names[number] = frozenset(names)
        return self._names[number]


def _smallest(state: State, segments: Mapping[int, Part]) -> list[int]:
    """Return the half of the segments with the fewest rows that are in the buffer, and those that are mostly others."""
    live = dict(zip(*(one.tolist() for one in np.unique(state.rows.segments, return_counts=True)), strict=True))
    by_size = sorted(segments, key=lambda number: (live.get(number, 0), number))
    return [
        *by_size[: len(by_size) // 2],
        *(one for one in by_size[len(by_size) // 2 :] if 2 * live.get(one, 0) < segments[one].rows),
    ]
