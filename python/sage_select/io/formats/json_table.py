"""A table from JSON rows, in memory bounded by a chunk of text and the table itself.

The files are read once, chunk by chunk, each built by what is known so far. Chunks whose layout turns out too small (a
key first seen later, say) are read and built again at the end; most files need none.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
import pyarrow as pa

from sage_select import kernels
from sage_select.errors import DataError, Where
from sage_select.io.formats.json_faults import array_fault, element_fault, line_fault
from sage_select.io.formats.sniff import Format
from sage_select.io.formats.text import open_text
from sage_select.io.guards.mapped import mapped_table
from sage_select.io.guards.memory import row_budget
from sage_select.io.source.opened import Input
from sage_select.io.source.progress import Meter
from sage_select.io.tables.bad_rows import BadRows
from sage_select.io.tables.merge import differing_columns
from sage_select.io.tables.rows import FileRows, RowLocations

__all__ = ["CHUNK_BYTES", "read_json", "table_of_text"]

_MAX_COLUMNS: Final = 10_000
#: Bytes of text that are read at a time, and the rest of the last line.
CHUNK_BYTES: Final = 16 << 20


def read_json(
    inputs: Sequence[tuple[Input, Format]], meter: Meter, bad_rows: BadRows
) -> tuple[pa.Table, list[FileRows], list[str]]:
    """Return the rows of JSON files as one table, its parts and notices.

    Bad rows (no strict JSON, no object, a column of another type than in the rows before) are null in all columns.

    Raises
    ------
    DataError
        Where a file cannot be read on.
    """
    table = _JsonTable(bad_rows)
    for source, kind in inputs:
        for chunk in _chunks(source, kind, meter):
            table.take(source.name, chunk, is_array=kind is Format.JSON_ARRAY)
            del chunk  # the next one may take its memory
        table.end_file(source.name)
        meter.file_done(source.size)
        source.release()
    table.rebuild(inputs)
    return table.made(), table.parts, table.notices()


def table_of_text(
    text: bytes, name: str, bad_rows: BadRows, *, is_array: bool = False, faults: Mapping[int, DataError] | None = None
) -> tuple[pa.Table, FileRows, list[str]]:
    """Return the rows of one text as a table, where they lie, and notices.

    Parameters
    ----------
    text, is_array
        JSON lines, or a JSON array.
    name
        What messages call it.
    bad_rows
        Is told of rows that cannot be used.
    faults
        Of rows that come from memory, and so have no lines: row -> why there is no JSON of it.

    Raises
    ------
    DataError
        Where an array cannot be read on.
    """
    table = _JsonTable(bad_rows, faults)
    if text:
        table.take(name, text, is_array=is_array)
    table.end_file(name)
    return table.made(), table.parts[0], table.notices()


def _chunks(source: Input, kind: Format, meter: Meter) -> Iterator[bytes]:
    with open_text(source, meter) as file:
        if kind is Format.JSON_ARRAY:
            yield file.read_all()
        else:
            yield from file.chunks(CHUNK_BYTES)


class _JsonTable:
    def __init__(self, bad_rows: BadRows, faults: Mapping[int, DataError] | None = None) -> None:
        self.parts: list[FileRows] = []
        self._table = kernels.JsonTable()
        self._bad_rows = bad_rows
        self._faults = faults
        self._budget = row_budget()
        self._text_bytes = 0
        self._chunks = 0
        self._columns: list[tuple[str, bool, bool]] = []
        self._rows = 0
        self._lines: list[Sequence[int]] = []
        self._line = 0
        self._file_rows = 0
        self._file_names: dict[str, None] = {}
        self._names_of_files: list[tuple[str, set[str]]] = []
        self._first_file: tuple[str, set[str]] | None = None

    def take(self, name: str, text: bytes, *, is_array: bool) -> None:
        """Add the rows of a chunk of a file."""
        found = self._table.take(text, is_array=is_array)
        if found is None:
            raise array_fault(text, name)
        lines = range(found.rows) if found.lines is None else found.lines
        self._lines.append(_compact(lines, self._line + 1))
        self._line += found.line_count
        self._file_rows += found.rows
        self._file_names.update(dict.fromkeys(found.names))
        if len(self._table.columns()) > _MAX_COLUMNS:
            raise DataError(f"the rows have more than {_MAX_COLUMNS} different keys", where=name)
        places = RowLocations((*self.parts, self._part(name)))
        if found.inexact is not None:
            raise _inexact(*found.inexact, places)
        for row, start, end in found.bad:
            where = self._where(places, self._rows + row)
            fault = element_fault if is_array else line_fault
            known = (self._faults or {}).get(row)
            self._bad_rows.add(self._rows + row, known or fault(text[start:end], where))
        for column, row, kind, before, was in found.changes:
            self._bad_rows.add(row, _changed_type(column, row, kind, before, was, places))
        for row, column, as_text in found.infinite:
            message = "a number is too large for a 64-bit float" + (", or is not a number" if as_text else "")
            where = self._where(places, self._rows + row, column)
            self._bad_rows.add(self._rows + row, DataError(message, where=where))
        self._rows += found.rows
        self._chunks += 1
        self._text_bytes += len(text)
        # The columns take about as much as their text.
        if self._text_bytes > self._budget:
            self._spill(self._chunks - 1)

    def end_file(self, name: str) -> None:
        """Close the part of a file and compare its columns with those of the first file."""
        names = set(self._file_names)
        if self._file_rows and self._first_file is None:
            self._first_file = (name, names)
        if self._file_rows and self._first_file is not None and names:
            first_name, known = self._first_file
            if names - known and known - names:
                raise differing_columns(name, names, first_name, known)
            known |= names
        self._names_of_files.append((name, names))
        self.parts.append(self._part(name))
        self._lines, self._line, self._file_rows, self._file_names = [], 0, 0, {}

    def rebuild(self, inputs: Sequence[tuple[Input, Format]]) -> None:
        """Build again what was built by a layout that later rows have widened."""
        stale = self._table.stale()
        if not stale:
            return
        again = (
            (source, chunk, kind is Format.JSON_ARRAY)
            for source, kind in inputs
            for chunk in _chunks(source, kind, Meter(None, 0))
        )
        for index in range(stale):
            source, chunk, is_array = next(again, (inputs[-1][0], b"", False))
            if not self._table.rebuild(index, chunk, is_array=is_array):
                source.check_unchanged()
                raise DataError("changed while it was read", where=source.name)
            if self._text_bytes > self._budget:
                self._spill(index)

    def made(self) -> pa.Table:
        """Return the table."""
        if self._rows and len(self._bad_rows) == self._rows:
            raise self._bad_rows.error(self._rows, self.parts[0].file, None)
        self._columns = self._table.columns()
        if self._rows and not self._columns:
            raise DataError("the rows have no keys", where=self.parts[0].file)
        return self._table.finish()

    def notices(self) -> list[str]:
        """Return what cannot be told apart any more."""
        lacks = [
            f"{file} lacks the column{'s' * (len(lacking) > 1)} {', '.join(lacking)}: null in its rows"
            for file, names in self._names_of_files
            if names and (lacking := [name for name, _, _ in self._columns if name not in names])
        ]
        return lacks + [
            f"column {name!r} is null in some rows and missing in others; both are held as null"
            for name, null, absent in self._columns
            if null and absent
        ]

    def _spill(self, chunk: int) -> None:
        """Hold the rows of a chunk in a mapped file, where there is room for one."""
        held = self._table.chunk(chunk)
        mapped = mapped_table(held)
        if mapped is not None:
            self._table.put(chunk, mapped)

    def _part(self, name: str) -> FileRows:
        return FileRows(name, self._file_rows, None if self._faults is not None else _joined(self._lines))

    def _where(self, places: RowLocations, row: int, column: str | None = None) -> Where:
        place = places[row]
        return Where(file=place.file, row=place.row, line=place.line, column=column)


def _changed_type(column: str, row: int, kind: str, before: int, was: str, places: RowLocations) -> DataError:
    """Return the error for a value of another kind than a column has had so far."""
    here, there = places[row], places[before]
    return DataError(
        "a column changes its type",
        where=Where(file=here.file, row=here.row, line=here.line, column=column),
        expected=f"{was}, as in {_beside(there, here)}",
        got=kind,
    )


def _inexact(column: str, decimal: int, whole: int, places: RowLocations) -> DataError:
    """Return the error for whole numbers and decimal ones that no column holds together."""
    here, there = places[max(decimal, whole)], places[min(decimal, whole)]
    return DataError(
        "a column of decimal numbers holds a whole number that a 64-bit float cannot hold exactly",
        where=Where(file=here.file, row=here.row, line=here.line, column=column),
        hint=f"see also {_beside(there, here)}; give the numbers as strings",
    )


def _beside(where: Where, other: Where) -> str:
    place = f"row {where.row}" if where.line is None else f"line {where.line}"
    return place if where.file == other.file else f"{where.file}, {place}"


def _compact(lines: Any, first: int) -> Sequence[int]:
    """Return line numbers counted from `first`, as a range where none is left out."""
    if not len(lines):
        return range(0)
    start, end = int(lines[0]), int(lines[-1])
    if end - start + 1 == len(lines):
        return range(first + start, first + end + 1)
    return array("q", (np.asarray(lines, np.int64) + first).tobytes())


def _joined(lines: list[Sequence[int]]) -> Sequence[int]:
    lines = [part for part in lines if len(part)]
    if not lines:
        return ()
    if all(isinstance(part, range) for part in lines) and lines[-1][-1] - lines[0][0] + 1 == sum(map(len, lines)):
        return range(lines[0][0], lines[-1][-1] + 1)
    return array("q", chain.from_iterable(lines))
