"""Rows: a table with the place in the user's input where each row came from."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.errors import Where
from sage_select.io.tables.bad_rows import BadRows
from sage_select.io.tables.take import take_rows
from sage_select.kernels.arrays import runs

__all__ = ["FileRows", "RowLocations", "Rows"]


@dataclass(frozen=True)
class FileRows:
    """A run of consecutive rows that came from one file.

    Parameters
    ----------
    file
        Name for messages.
    count
        Number of rows.
    lines
        The line of each row, from 1, for text files; None where rows have no lines.
    """

    file: str
    count: int
    lines: Sequence[int] | None = None


@dataclass(frozen=True)
class RowLocations:
    """Where each row of a table came from."""

    parts: tuple[FileRows, ...]
    starts: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        starts, total = [], 0
        for part in self.parts:
            starts.append(total)
            total += part.count
        object.__setattr__(self, "starts", tuple(starts))

    def __getitem__(self, row: int) -> Where:
        """Return the file, the row within it and its line; cost O(log files)."""
        index = bisect.bisect_right(self.starts, row) - 1
        while index > 0 and self.parts[index].count == 0:
            index -= 1
        part, inside = self.parts[index], row - self.starts[index]
        line = None if part.lines is None else int(part.lines[inside])
        return Where(file=part.file, row=inside, line=line)


@dataclass(frozen=True)
class _SomeLocations:
    """Where some of the rows came from, by their numbers among all."""

    all: RowLocations
    numbers: NDArray[np.int64]

    def __getitem__(self, row: int) -> Where:
        """Return the place of a row among these."""
        return self.all[int(self.numbers[row])]


@dataclass(frozen=True)
class Rows:
    """A table that was read, with what is needed to speak about its rows.

    Parameters
    ----------
    table
        The rows, in the order of the input, in types that every reader keeps.
    source
        What was read, as the user named it.
    places
        Where each row came from.
    digest
        `blake2b-256:` and 64 hex digits: over the bytes of the files, or over the Arrow content of an
        object in memory.
    notices
        What the user should be told about the reading.
    bad
        The rows that cannot be used, which are null in all columns.
    """

    table: pa.Table
    source: str
    places: RowLocations | _SomeLocations
    digest: str
    notices: list[str]
    bad: BadRows = field(default_factory=BadRows)

    def only(self, numbers: NDArray[np.int64]) -> Rows:
        """Return the rows of these numbers, ascending; they keep their places, and the digest stays that of all.

        Bad rows must not be among them.
        """
        before = self.places
        places = (
            _SomeLocations(before, numbers)
            if isinstance(before, RowLocations)
            else _SomeLocations(before.all, before.numbers[numbers])
        )
        return replace(self, table=_only(self.table, numbers), places=places, bad=BadRows())

    def append(self, table: pa.Table, parents: NDArray[np.int64] | None, source: str = "") -> Rows:
        """Return the rows with others of these columns behind them.

        Each has the place of the row that it was made of; where `parents` is None, one of its own in `source`.
        """
        before = self.places
        numbers, all_places = (
            (np.arange(self.table.num_rows), before)
            if isinstance(before, RowLocations)
            else (before.numbers, before.all)
        )
        if parents is None:
            first = sum(part.count for part in all_places.parts)
            all_places = RowLocations((*all_places.parts, FileRows(source, table.num_rows)))
            own = np.arange(first, first + table.num_rows)
        else:
            own = numbers[parents]
        places = _SomeLocations(all_places, np.concatenate([numbers, own]))
        # A column without nulls may have some in the others.
        both = pa.concat_tables([self.table, table], promote_options="default")
        return replace(self, table=both, places=places)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all files that were read."""
        places = self.places if isinstance(self.places, RowLocations) else self.places.all
        return tuple(part.file for part in places.parts)

    def where(self, row: int, column: str | None = None) -> Where:
        """Return the place of `row`: its file, the row within that file and, for text, its line.

        Examples
        --------
        >>> rows = Rows(pa.table({"a": [1, 2]}), "a.csv", RowLocations((FileRows("a.csv", 2, range(2, 4)),)), "", [])
        >>> str(rows.where(1, "a"))
        "a.csv, row 1, line 3, column 'a'"
        """
        place = self.places[row]
        return Where(file=place.file, row=place.row, line=place.line, column=column)


def _only(table: pa.Table, numbers: NDArray[np.int64]) -> pa.Table:
    """Return some rows of a table, as slices of it where few are missing."""
    found = runs(numbers)
    if found:
        return pa.concat_tables([table.slice(first, end - first) for first, end in found])
    return take_rows(table, numbers)
