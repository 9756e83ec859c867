"""CSV with a header line: every value is a string, as written."""

from __future__ import annotations

import csv
from array import array
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from typing import Final

import numpy as np
import pyarrow as pa

from sage_select.errors import DataError, Where
from sage_select.io.formats.csv_records import sound_records
from sage_select.io.formats.sniff import Format
from sage_select.io.formats.text import MAX_LINE_BYTES, decoded, open_text
from sage_select.io.source.opened import Input
from sage_select.io.source.progress import Meter
from sage_select.io.tables.bad_rows import BadRows
from sage_select.io.tables.merge import differing_columns
from sage_select.io.tables.rows import FileRows

__all__ = ["CHUNK_BYTES", "csv_rows", "delimiter_of", "header_of", "read_csv", "string_batch"]

#: Bytes of text that are read at a time, and beyond which a record is read alone.
CHUNK_BYTES: Final = 4 << 20
_LONGEST: Final = 64 << 20
#: Rows of a batch of those that are read one by one.
_BATCH_ROWS: Final = 16384
#: What else may stand between values.
_OTHER_DELIMITERS: Final = (";", "\t", "|")
#: What a first column without a name is called.
_INDEX: Final = "index"


def read_csv(
    inputs: Sequence[tuple[Input, Format]], meter: Meter, bad_rows: BadRows
) -> tuple[pa.Table, list[FileRows], list[str]]:
    """Return the rows of CSV files with equal headers as one table of strings, its parts and notices.

    No value is turned into a number or a null by how it is spelt; who needs a number converts it. Records with another
    number of values than the header are bad rows, null in all columns.

    Raises
    ------
    DataError
        Naming file and line, where a quote is not closed, or a column name is empty or given twice.
    """
    parts: list[FileRows] = []
    tables: list[pa.Table] = []
    notices: list[str] = []
    for source, kind in inputs:
        rows = sum(part.count for part in parts)
        table, part = _one_file(source, kind, meter, bad_rows, rows, notices)
        wanted = tables[0].schema.names if tables else table.schema.names
        if set(table.schema.names) != set(wanted):
            raise differing_columns(source.name, set(table.schema.names), parts[0].file, set(wanted))
        tables.append(table.select(wanted))
        parts.append(part)
        meter.file_done(source.size)
    return pa.concat_tables(tables), parts, notices


def _one_file(
    source: Input, kind: Format, meter: Meter, bad_rows: BadRows, rows: int, notices: list[str]
) -> tuple[pa.Table, FileRows]:
    with open_text(source, meter) as file:
        text = _Chunks(file.chunks(CHUNK_BYTES))
        delimiter = delimiter_of(source, kind, text.first)
        with closing(csv_rows(source, text.lines(), delimiter, notices)) as records:
            taken = _Taken(header_of(records))
            rest = _take_sound(text, delimiter, taken)
            if rest is text:
                _take(records, taken, bad_rows, rows)
        if rest is not None and rest is not text:
            with closing(_records(source, rest.lines(), delimiter, rest.lines_before)) as later:
                _take(_checked(later, len(taken.schema), source, len(taken.lines)), taken, bad_rows, rows)
    return pa.Table.from_batches(taken.batches, taken.schema), FileRows(source.name, len(taken.lines), taken.lines)


class _Taken:
    """The rows of a file, and the line of each, as far as they were read."""

    def __init__(self, header: list[str]) -> None:
        self.schema = pa.schema([(name, pa.string()) for name in header])
        self.batches: list[pa.RecordBatch] = []
        self.lines = array("q")


class _Chunks:
    """Chunks of a text, each ending where a line does; so many lines come before them."""

    def __init__(self, chunks: Iterator[bytes], lines_before: int = 0) -> None:
        self.lines_before = lines_before
        self.first = next(chunks, b"")
        while self.first.count(b"\n") < 2 and (more := next(chunks, b"")):
            self.first += more
        self.later = chunks
        #: Whether lines beyond the first chunk have been read.
        self.begun = False

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield (line number, bytes of the line without its line feed)."""
        number = self.lines_before
        for chunk in chain([self.first] if self.first else [], self._later()):
            for data in chunk.removesuffix(b"\n").split(b"\n"):
                number += 1
                yield number, data

    def _later(self) -> Iterator[bytes]:
        self.begun = True
        yield from self.later


def _take(records: Iterable[tuple[int, list[str] | DataError]], taken: _Taken, bad_rows: BadRows, rows: int) -> None:
    """Take records one by one; `rows` are in the files before."""
    nothing = [None] * len(taken.schema)
    pending: list[Sequence[str | None]] = []
    for line, record in records:
        if isinstance(record, DataError):
            bad_rows.add(rows + len(taken.lines), record)
        taken.lines.append(line)
        pending.append(nothing if isinstance(record, DataError) else record)
        if len(pending) == _BATCH_ROWS:
            taken.batches.append(string_batch(pending, taken.schema))
            pending = []
    if pending:
        taken.batches.append(string_batch(pending, taken.schema))


def _take_sound(text: _Chunks, delimiter: str, taken: _Taken) -> _Chunks | None:
    """Take records as long as they are sound; return what is to be read one by one, `text` itself if that is all."""
    if text.begun:
        return text
    data, line, header = text.first, 0, 1
    while data:
        # Only the end of a file has no line feed.
        data = data if data.endswith(b"\n") else data + b"\n"
        found = sound_records(data, delimiter, taken.schema.names) if len(data) <= _LONGEST else None
        if header and (found is None or not len(found.lines)):
            return text
        more = b"" if found is None else next(text.later, b"")
        if found is None or not (found.size or more):
            return _Chunks(chain([data], text.later), line)
        taken.batches += found.table.slice(header).to_batches()
        taken.lines.frombytes((found.lines[header:] + (line + 1)).astype(np.int64).tobytes())
        header, line, data = 0, line + found.feeds, data[found.size :] + more
    return None


def header_of(records: Generator[tuple[int, list[str] | DataError], None, None]) -> list[str]:
    """Return the names of the columns, which come before all rows."""
    _, header = next(records)
    return header if isinstance(header, list) else []


def csv_rows(
    source: Input, lines: Iterator[tuple[int, bytes]], delimiter: str, notices: list[str]
) -> Generator[tuple[int, list[str] | DataError], None, None]:
    """Yield (line where the record begins, its values or what is wrong): the header, checked, and then the rows.

    Raises
    ------
    DataError
        As `read_csv` does.
    """
    with closing(_records(source, lines, delimiter)) as records:
        line, header = next(records, (1, []))
        if header[:1] == [""] and "" not in header[1:] and _INDEX not in header and len(header) > 1:
            header[0] = _INDEX
            notices.append(
                f"{source.name}: the first column has no name, as where pandas writes its index, and is called "
                f"{_INDEX!r}; to_csv(index=False) leaves it out"
            )
        _check_header(header, source)
        yield line, header
        yield from _checked(records, len(header), source, 0)


def _checked(
    records: Iterable[tuple[int, list[str]]], columns: int, source: Input, row: int
) -> Generator[tuple[int, list[str] | DataError], None, None]:
    """Yield each record, or the error if it has another number of values; the first is row `row` of its file."""
    for number, (line, record) in enumerate(records, start=row):
        if len(record) == columns:
            yield line, record
            continue
        problem = DataError(
            "a record has another number of values than the header",
            where=Where(file=source.name, row=number, line=line),
            expected=str(columns),
            got=str(len(record)),
        )
        yield line, problem


def string_batch(records: Sequence[Sequence[str | None]], schema: pa.Schema) -> pa.RecordBatch:
    """Return records, one at least, as a batch of string columns."""
    columns = [pa.array(values, pa.string()) for values in zip(*records, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _records(
    source: Input, lines: Iterator[tuple[int, bytes]], delimiter: str, before: int = 0
) -> Generator[tuple[int, list[str]], None, None]:
    """Yield (line where the record begins, its values), without blank lines; so many lines come `before` these."""
    limit = csv.field_size_limit(MAX_LINE_BYTES)
    try:
        reader = csv.reader(_decoded(lines, source.name), delimiter=delimiter, strict=True)
        begins = before + 1
        try:
            for record in reader:
                if record:
                    yield begins, record
                begins = before + reader.line_num + 1
        except csv.Error as error:
            raise DataError(f"not CSV: {error}", where=Where(file=source.name, line=begins)) from None
    finally:
        csv.field_size_limit(limit)


def _decoded(lines: Iterable[tuple[int, bytes]], name: str) -> Iterator[str]:
    for number, data in lines:
        try:
            yield data.decode() + "\n"
        except UnicodeDecodeError:
            decoded(data, Where(file=name, line=number))  # which says where it is


def delimiter_of(source: Input, kind: Format, head: bytes) -> str:
    """Return what stands between values.

    What the user says, or, by the first two lines in `head`, a comma, unless they have none and something else.
    """
    if source.text.delimiter is not None:
        return source.text.delimiter
    if kind is Format.TSV:
        return "\t"
    header, row = [*head.split(b"\n", 2), b""][:2]
    marks = (mark for mark in _OTHER_DELIMITERS if 0 < header.count(mark.encode()) <= row.count(mark.encode()))
    return "," if b"," in header else next(marks, ",")


def _check_header(header: list[str], source: Input) -> None:
    where = Where(file=source.name, line=1)
    if not header:
        raise DataError("has no header line", where=source.name)
    if "" in header:
        raise DataError(f"column number {header.index('') + 1} has no name in the header", where=where)
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise DataError(f"the header names the column {twice[0]!r} twice", where=where)
