"""CSV with a header line: every value is a string, as written."""

from __future__ import annotations

import csv
from array import array
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice
from typing import Final

import pyarrow as pa

from sage_select.errors import DataError, Where
from sage_select.io.formats.sniff import Format
from sage_select.io.formats.text import MAX_LINE_BYTES, TextSource, decoded, open_text
from sage_select.io.source.opened import Input
from sage_select.io.source.progress import Meter
from sage_select.io.tables.bad_rows import BadRows
from sage_select.io.tables.merge import differing_columns
from sage_select.io.tables.rows import FileRows

__all__ = ["BATCH_ROWS", "csv_rows", "header_of", "read_csv", "string_batch"]

BATCH_ROWS: Final = 16384
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
    with open_text(source, meter) as file, closing(csv_rows(file, kind, notices)) as records:
        header = header_of(records)
        schema = pa.schema([(name, pa.string()) for name in header])
        batches: list[pa.RecordBatch] = []
        lines = array("q")
        pending: list[Sequence[str | None]] = []
        for line, record in records:
            if isinstance(record, DataError):
                bad_rows.add(rows + len(lines), record)
            lines.append(line)
            pending.append([None] * len(header) if isinstance(record, DataError) else record)
            if len(pending) == BATCH_ROWS:
                batches.append(string_batch(pending, schema))
                pending = []
        if pending:
            batches.append(string_batch(pending, schema))
    return pa.Table.from_batches(batches, schema), FileRows(source.name, len(lines), lines)


def header_of(records: Generator[tuple[int, list[str] | DataError], None, None]) -> list[str]:
    """Return the names of the columns, which come before all rows."""
    _, header = next(records)
    return header if isinstance(header, list) else []


def csv_rows(
    file: TextSource, kind: Format, notices: list[str]
) -> Generator[tuple[int, list[str] | DataError], None, None]:
    """Yield (line where the record begins, its values or what is wrong): the header, checked, and then the rows.

    Raises
    ------
    DataError
        As `read_csv` does.
    """
    with closing(_records(file, kind)) as records:
        line, header = next(records, (1, []))
        if header[:1] == [""] and "" not in header[1:] and _INDEX not in header and len(header) > 1:
            header[0] = _INDEX
            notices.append(
                f"{file.source.name}: the first column has no name, as where pandas writes its index, and is called "
                f"{_INDEX!r}; to_csv(index=False) leaves it out"
            )
        _check_header(header, file.source)
        yield line, header
        for row, (line, record) in enumerate(records):
            if len(record) == len(header):
                yield line, record
                continue
            problem = DataError(
                "a record has another number of values than the header",
                where=Where(file=file.source.name, row=row, line=line),
                expected=str(len(header)),
                got=str(len(record)),
            )
            yield line, problem


def string_batch(records: Sequence[Sequence[str | None]], schema: pa.Schema) -> pa.RecordBatch:
    """Return records, one at least, as a batch of string columns."""
    columns = [pa.array(values, pa.string()) for values in zip(*records, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _records(file: TextSource, kind: Format) -> Generator[tuple[int, list[str]], None, None]:
    """Yield (line where the record begins, its values), without blank lines."""
    name = file.source.name
    lines = file.lines()
    first = list(islice(lines, 2))
    delimiter = file.source.text.delimiter or _delimiter(kind, [data for _, data in first])
    text = _decoded(chain(first, lines), name)
    limit = csv.field_size_limit(MAX_LINE_BYTES)
    try:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        begins = 1
        try:
            for record in reader:
                if record:
                    yield begins, record
                begins = reader.line_num + 1
        except csv.Error as error:
            raise DataError(f"not CSV: {error}", where=Where(file=name, line=begins)) from None
    finally:
        csv.field_size_limit(limit)


def _decoded(lines: Iterable[tuple[int, bytes]], name: str) -> Iterator[str]:
    for number, data in lines:
        try:
            yield data.decode() + "\n"
        except UnicodeDecodeError:
            decoded(data, Where(file=name, line=number))  # which says where it is


def _delimiter(kind: Format, lines: list[bytes]) -> str:
    """Return what stands between values, by the first two lines: a comma, unless they have none and something else."""
    if kind is Format.TSV:
        return "\t"
    header, row = [*lines, b"", b""][:2]
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
