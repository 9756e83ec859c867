"""Rows of a replay buffer that may come to those of a run, and why others may not."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select import io
from sage_select.columns import PARENT, PREFIX, SOURCE, Origin
from sage_select.data import Dataset
from sage_select.errors import DataError, UsageError, Where
from sage_select.kernels.arrays import some_rows
from sage_select.paths import user_path
from sage_select.pipeline.run import Run
from sage_select.pipeline.stage import Stage
from sage_select.render import Shape, detect_shape, render_rows, row_digests
from sage_select.replay import ReplayBuffer
from sage_select.replay.store import FolderStore
from sage_select.stages.holdout import Holdout

__all__ = ["BufferRows", "OpenedBuffer", "buffer_beside", "buffer_shape", "new_rows", "rows_beside"]

#: Why rows of a buffer are not replayed.
_THERE: Final = "row of the input"
_SAME: Final = "says the same as a selected row"
_NOTHING: Final = "nothing to train"
_UNREADABLE: Final = "no row of its shape"


class OpenedBuffer(NamedTuple):
    """A buffer as it is at a commit, and the digest of the manifest of that commit."""

    buffer: ReplayBuffer
    digest: str


def buffer_beside(files: io.Beside, path: str, *, verify: bool = True) -> OpenedBuffer:
    """Return a buffer that is read beside the rows of a run: at each call that of the same commit.

    Nothing is locked or changed.

    Raises
    ------
    UsageError
        There is no buffer.
    DataError
        It is damaged, or what was read of it before is gone: its rows were deleted meanwhile.
    """
    folder = user_path(path)
    buffer = ReplayBuffer.open(folder, create=False, verify=verify)
    store, known = FolderStore(folder, verify=verify), files.known(path)
    digest = store.digest(buffer.commit)
    if known in (None, digest):
        files.was_read(path, digest)
        return OpenedBuffer(buffer, digest)
    for commit in reversed(buffer.commits()):
        if store.digest(commit) == known:
            return OpenedBuffer(ReplayBuffer.open(folder, commit=commit, create=False, verify=verify), known)
    raise DataError("changed while it was read", where=path, hint="run it again when its writer is done")


@dataclass(frozen=True)
class BufferRows:
    """The rows of a buffer with the columns of a run.

    Attributes
    ----------
    data
        The rows of the run, with the columns of both.
    table
        The rows of the buffer (m), with the same columns.
    ids, texts, contents
        `string` (m,): their ids, what they say, and the digests by which copies are told.
    reasons
        For each, why it is not replayed; empty where it may be.
    """

    data: Dataset
    table: pa.Table
    ids: pa.Array
    texts: pa.ChunkedArray
    contents: pa.ChunkedArray
    reasons: tuple[str, ...]

    @property
    def eligible(self) -> NDArray[np.int64]:
        """The numbers of the rows that may be replayed."""
        return np.flatnonzero([not reason for reason in self.reasons])

    @property
    def left_out(self) -> dict[str, int]:
        """How many rows are not replayed for each reason, the most frequent first."""
        return dict(Counter(reason for reason in self.reasons if reason).most_common())

    def without_held_out(self, name: str, run: Run, earlier: Iterable[Stage]) -> BufferRows:
        """Return the rows; those that repeat a held-out row by their words, as earlier stages say, are left out."""
        held_out: dict[Any, Holdout] = {}
        for step in earlier:
            # One stage that compares vectors as well has two parts.
            if isinstance(step, Holdout):
                held_out.setdefault(str(step.paths), step)
        found, reasons = self.eligible, list(self.reasons)
        if not held_out or not len(found) or self.data.rows is None:
            return self
        n, k = self.data.n, len(found)
        rows = self.data.rows.append(io.take_rows(self.table, found), None, name).only(n + np.arange(k))
        own = Dataset(n=k, rows=rows, shape=self.data.shape, ids=pa.chunked_array([self.ids.take(pa.array(found))]))
        own = own.with_feature("texts", some_rows(self.texts, found))
        own = own.with_feature("contents", some_rows(self.contents, found))
        for step in held_out.values():
            repeats = step.repeated_by_words(own, run)
            for place in np.flatnonzero(repeats.leaves).tolist():
                reasons[found[place]] = reasons[found[place]] or repeats.cause(place).reason
        return replace(self, reasons=tuple(reasons))


def new_rows(data: Dataset) -> int:
    """Return how many rows are in that were not replayed."""
    numbers, first, replayed = data.input_rows(np.arange(data.n)), data.input_n, 0
    for one in data.additions:
        if one.origin == Origin.REPLAY:
            replayed += int(np.count_nonzero((numbers >= first) & (numbers < first + one.n)))
        first += one.n
    return data.n - replayed


def buffer_shape(data: Dataset, columns: pa.Schema, name: str) -> None:
    """Refuse rows of a buffer that are read otherwise than those of the run.

    Raises
    ------
    DataError
        As said.
    """
    if data.shape is None:
        raise UsageError("there are no rows to replay beside, only arrays", hint="pass data, or leave replay out")
    try:
        found = detect_shape(columns, data.shape.options).name
    except UsageError:
        found = f"the columns {', '.join(columns.names)[:200]}"
    if found != data.shape.name:
        raise DataError(
            "the rows of the replay buffer are of another shape than those of the input",
            where=name,
            expected=f"{data.shape.name}, from {', '.join(data.shape.columns)}",
            got=found,
            hint="replay beside rows like those that the buffer was made of",
        )


def rows_beside(data: Dataset, buffer: ReplayBuffer, name: str, run: Run, *, before: Stage) -> BufferRows:
    """Return all rows of a buffer with the columns of a run, each with why it may not be replayed.

    A row is not replayed that is a row of the input, whatever became of it there, that says the same as one of the
    selection, or that repeats a row which a stage before this one holds out; nor one that cannot be trained.

    Raises
    ------
    DataError
        The rows are of another shape, or a column has types that no type holds without loss.
    """
    if data.rows is None or data.ids is None:
        raise RuntimeError("rows are replayed beside rows")
    table = _own(buffer.table(), data.rows.table.schema.names)
    buffer_shape(data, table.schema, name)
    data, table = _with_columns_of_both(data, table, name, run)
    if data.rows is None or data.shape is None:
        raise RuntimeError("rows have a shape")
    ids = buffer.ids()
    said = render_rows(table, data.shape, where=lambda row: Where(file=name, row=row))
    reasons = [""] * table.num_rows
    _leave_out(reasons, pc.is_in(ids, value_set=_known(data)).to_numpy(zero_copy_only=False), _THERE)
    _leave_out(reasons, np.isin(np.arange(table.num_rows), list(said.refused)), _UNREADABLE)
    _leave_out(reasons, ~said.answered, _NOTHING)
    contents = _contents(table, data.shape, np.flatnonzero([one == _UNREADABLE for one in reasons]))
    same = pc.is_in(contents, value_set=pa.chunked_array(data.feature("contents")).cast(pa.string()))
    _leave_out(reasons, same.to_numpy(), _SAME)
    found = BufferRows(data, table, ids, said.texts, contents, tuple(reasons))
    return found.without_held_out(name, run, itertools.takewhile(lambda step: step is not before, run.steps))


def _own(table: pa.Table, others: Sequence[str]) -> pa.Table:
    """Return the columns of a buffer that are replayed: what an earlier selection told of its rows is not."""
    names = [
        name
        for name in table.column_names
        if not name.startswith(PREFIX) or name == PARENT or (name == SOURCE and SOURCE in others)
    ]
    return table.select(names)


def _with_columns_of_both(data: Dataset, table: pa.Table, name: str, run: Run) -> tuple[Dataset, pa.Table]:
    """Return the rows of both with the columns of both, null where they have none of their own."""
    if data.rows is None or data.shape is None:
        raise RuntimeError("rows are replayed beside rows")
    n, own = data.n, data.rows.table
    # What is ours is no column that a user would miss.
    more = [one for one in own.schema if one.name.startswith(PREFIX) and one.name not in table.column_names]
    for field in more:
        table = table.append_column(field.with_nullable(True), pa.nulls(table.num_rows, field.type))
    if PARENT in table.column_names and PARENT not in own.column_names:
        own = own.append_column(table.schema.field(PARENT), pa.nulls(n, table.schema.field(PARENT).type))
    both, notices = io.merged([(data.rows.source, own), (name, table)], apart=True)
    for text in notices:
        run.reporter.notice(text)
    found = detect_shape(both.schema, data.shape.options)
    rows = replace(data.rows, table=both.slice(0, n).replace_schema_metadata(own.schema.metadata))
    return replace(data, rows=rows, shape=found), both.slice(n).replace_schema_metadata(own.schema.metadata)


def _leave_out(reasons: list[str], which: NDArray[np.bool_], reason: str) -> None:
    for place in np.flatnonzero(which).tolist():
        reasons[place] = reasons[place] or reason


def _known(data: Dataset) -> pa.Array:
    """Return the ids of all rows ever seen."""
    ids = data.lineage.ids
    return pa.array([], pa.string()) if ids is None else ids.cast(pa.string()).combine_chunks()


def _contents(table: pa.Table, shape: Shape, wrong: NDArray[np.int64]) -> pa.ChunkedArray:
    """Return the digests by which copies are told; of rows that cannot be read they are empty."""
    good = np.delete(np.arange(table.num_rows), wrong)
    digests = row_digests(io.take_rows(table, good), shape.columns, exact=False, alike=True)[1]
    if not len(wrong):
        return digests
    places = np.full(table.num_rows, -1)
    places[good] = np.arange(len(good))
    found = digests.take(pa.array(places, mask=places < 0))
    return pc.fill_null(found, "")
