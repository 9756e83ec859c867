"""The held-out rows that rows of the input are compared with: rows of files, or of what a program handed over."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select import io
from sage_select.contamination import ComparedRows
from sage_select.data import Dataset
from sage_select.errors import DataError, UsageError
from sage_select.io.commit.overlap import are_all_among
from sage_select.kernels import word_counts
from sage_select.pipeline.run import Run
from sage_select.render import Shape, ShapeOptions, detect_shape, first_words, row_digests
from sage_select.stages.inputs.bad_rows import bad_rows_of, good_rows, refuse_bad_rows
from sage_select.stages.inputs.queries import Queries
from sage_select.stages.source import Source

__all__ = [
    "HeldOutFile",
    "PreparedHeldOut",
    "check_apart",
    "given_held_out",
    "held_out_shape",
    "read_held_out",
]


#: What messages call the rows, where they are no others.
HELD_OUT: Final = "held-out rows"


@dataclass(frozen=True)
class HeldOutFile:
    """The rows of one held-out file, folder or pattern.

    Attributes
    ----------
    name
        What messages call it.
    data
        Its rows that can be used, with their words.
    """

    name: str
    data: Dataset

    @property
    def rows(self) -> io.Rows:
        """The rows as read."""
        if self.data.rows is None:
            raise RuntimeError("held-out rows are rows")
        return self.data.rows

    @property
    def shape(self) -> Shape:
        """How a row is read."""
        if self.data.shape is None:
            raise RuntimeError("held-out rows have a shape")
        return self.data.shape

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """int64 (n,): how many words each row has."""
        return word_counts(self.data.texts)

    @cached_property
    def contents(self) -> pa.ChunkedArray:
        """The digest of each row by which copies are told."""
        return row_digests(self.rows.table, self.shape.columns, exact=False, alike=True, where=self.rows.where)[1]

    @property
    def ids(self) -> pa.ChunkedArray | None:
        """The ids that the rows got in a build; None where they are of none."""
        table = self.rows.table
        return table["sage_row_id"].cast(pa.string()) if "sage_row_id" in table.column_names else None

    @property
    def compared(self) -> ComparedRows:
        """The rows, as they are compared."""
        return ComparedRows(self.rows.table, self.shape, self.rows.where, np.arange(self.data.n), texts=self.data.texts)


@dataclass(frozen=True)
class PreparedHeldOut:
    """The held-out rows of a stage.

    Attributes
    ----------
    files
        In their order; rows are counted through all of them.
    to_embed
        The rows of each file, where they are to get vectors of the encoder of the rows.
    """

    files: tuple[HeldOutFile, ...]
    to_embed: tuple[Queries, ...] = ()

    @property
    def starts(self) -> list[int]:
        """The place of the first row of each file among all held-out rows."""
        return [sum(file.data.n for file in self.files[:place]) for place in range(len(self.files))]

    def told(self) -> pa.Table:
        """Return what reports tell of the held-out rows, with the columns that `data.HeldOut` has."""
        parts = []
        for file in self.files:
            places = [file.rows.where(row) for row in range(file.data.n)]
            columns = {
                "file": pa.array([str(one.file) for one in places], pa.string()),
                "row": pa.array([one.row for one in places], pa.int64()),
                "line": pa.array([one.line for one in places], pa.int64()),
                "first_words": first_words(file.rows.table, file.shape),
            }
            parts.append(pa.table(columns))
        return pa.concat_tables(parts)

    def name(self, row: int) -> str:
        """Return what messages call a row, counted through all files."""
        number = bisect.bisect_right(self.starts, row) - 1
        return str(self.files[number].rows.where(row - self.starts[number]))


def read_held_out(path: str, data: Dataset, source: Source, run: Run, *, called: str = HELD_OUT) -> HeldOutFile:
    """Return the held-out rows of a file, folder or pattern.

    Parameters
    ----------
    path
        As the user named it.
    data
        The rows of the input.
    source
        Says what is done about rows that cannot be used.
    run
        The run.
    called
        What messages call the rows.

    Raises
    ------
    UsageError
        If there is no such file, it is the input itself, or no shape of its rows is recognised.
    DataError
        If it cannot be read, holds no row, or rows that cannot be used and are not to be dropped.
    """
    rows = io.read(path, verify=run.verify, with_bad_rows=True)
    data.files.was_read(path, rows.digest)
    check_apart(data, rows, called)
    return _of_rows(path, rows, data, source, run, called)


def given_held_out(
    value: Any, data: Dataset, source: Source, run: Run, *, name: str = "holdout", called: str = HELD_OUT
) -> HeldOutFile:
    """Return the held-out rows that a program handed over: a table, or a list of dictionaries; it raises as above."""
    if not hasattr(value, "__arrow_c_stream__") and not (
        isinstance(value, list | tuple) and value and isinstance(value[0], dict)
    ):
        raise UsageError(
            f"these are no {called}",
            where=name,
            expected="a path, several, or rows: a table, or a list of dictionaries",
            got=repr(value)[:80],
        )
    rows = io.from_object(value, with_bad_rows=True)
    check_apart(data, rows, called)
    return _of_rows(name, rows, data, source, run, called)


def _of_rows(name: str, rows: io.Rows, data: Dataset, source: Source, run: Run, called: str) -> HeldOutFile:
    shape = held_out_shape(rows, data, called)
    bad, said = bad_rows_of(rows, shape.options, run.reporter)
    n = rows.table.num_rows
    refuse_bad_rows(bad, n, rows.source, source, n)
    if len(bad):
        good = good_rows(n, bad)
        kinds = ", ".join(f"{count:,} times: {kind}" for kind, count in bad.counts().items())
        run.reporter.notice(
            f"{len(bad):,} of {n:,} {called} ({name}) cannot be used, and no row is compared with them ({kinds})"
        )
        rows, said = rows.only(good), said.only(good)
    if rows.table.num_rows == 0:
        raise DataError(f"there must be at least one {called.removesuffix('s')}", where=rows.source, got="no rows")
    found = Dataset(n=rows.table.num_rows, rows=rows, shape=shape)
    return HeldOutFile(name, found.with_feature("texts", said.texts))


def held_out_shape(rows: io.Rows, data: Dataset, called: str = HELD_OUT) -> Shape:
    """Return how held-out rows are read: as the input, where they have the columns that this names, else by themselves.

    Raises
    ------
    UsageError
        If no shape is recognised.
    """
    try:
        return detect_shape(rows.table.schema, _options(rows, data))
    except UsageError as error:
        raise UsageError(
            f"{called}: {error.message}",
            where=rows.source,
            expected=error.expected,
            got=error.got,
            hint="they are read like the input where they have the columns that it names, else by themselves",
        ) from None


def check_apart(data: Dataset, rows: io.Rows, called: str = HELD_OUT) -> None:
    """Refuse rows beside the input that are the input itself: nothing would be left.

    Raises
    ------
    UsageError
        If every file of the input is one of theirs, or the content is the same.
    """
    pool = data.read or data.rows
    if pool is None:
        return
    # Samples have no digest.
    same = bool(pool.digest) and pool.digest == rows.digest
    if same or are_all_among(pool.files, rows.files):
        raise UsageError(
            f"the {called} are the input itself, so that no row would be left",
            where=rows.source,
            expected="files that are not the whole of the input",
            got=f"the same as {pool.source}",
            hint=(
                "name the rows to measure on with --holdout (holdout), and those to train on as the input"
                if called == HELD_OUT
                else None
            ),
        )


def _options(rows: io.Rows, data: Dataset) -> ShapeOptions:
    """Return how the rows of the input are read, where the held-out rows have the columns that this names."""
    options = ShapeOptions() if data.shape is None else data.shape.options
    named = {name for field in fields(options) if field.name != "template" and (name := getattr(options, field.name))}
    if options.template is not None:
        named |= set(data.shape.columns if data.shape is not None else ())
    return options if named <= set(rows.table.column_names) else ShapeOptions()
