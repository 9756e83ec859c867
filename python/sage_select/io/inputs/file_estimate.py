"""What is known of one file before it is read: exactly from footers and frames, estimated from a sample of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from sage_select.errors import DataError, UsageError
from sage_select.io.formats.arrow_ipc import first_batch
from sage_select.io.formats.csv_file import csv_rows, delimiter_of, header_of, string_batch
from sage_select.io.formats.json_faults import whole_elements
from sage_select.io.formats.json_table import table_of_text
from sage_select.io.formats.parquet import first_rows
from sage_select.io.formats.sniff import Format, format_of
from sage_select.io.guards.damage import damage_errors
from sage_select.io.inputs.sample import TextSample, read_sample
from sage_select.io.source.opened import Input
from sage_select.io.tables.bad_rows import BadRows
from sage_select.io.tables.normalise import normalise

__all__ = ["FileEstimate", "estimate_file"]

#: Rows of a binary file, and bytes of JSON, that become the sample.
_SAMPLE_ROWS: Final = 1024
_SAMPLE_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class FileEstimate:
    """One file of a `DatasetEstimate`.

    Parameters
    ----------
    rows, exact
        How many rows it has, and whether that is certain.
    sample, lines
        Its first rows, null where they cannot be used, and the line of each where there are lines.
    checked
        How many rows were checked for such as cannot be used; the sample is the first of them.
    table_bytes, mapped
        Bytes of the Arrow table that it becomes, and whether they lie in the file.
    told_by
        What told the number of rows of a binary file.
    text_bytes
        Bytes of its text when unpacked, 0 for a binary file.
    read_bytes
        Bytes of the file, packed as they are, that were read.
    """

    rows: int
    sample: pa.Table
    checked: int
    table_bytes: float
    exact: bool = True
    mapped: bool = False
    told_by: str = ""
    lines: Sequence[int] | None = None
    text_bytes: float = 0.0
    read_bytes: float = 0.0


def estimate_file(source: Input, kind: Format, size: int, bad_rows: BadRows) -> FileEstimate:
    """Return what footers and frames, or the first `size` bytes of text, tell of a file.

    Raises
    ------
    DataError
        Where it cannot be read so far.
    UsageError
        Where not one row of text ends in the sample.
    """
    if kind in _TEXT:
        return _TEXT[kind](read_sample(source, size), kind, bad_rows)
    if kind is Format.HF_FOLDER:
        kind = format_of(source.at(0, 8)) or Format.ARROW_STREAM
    with damage_errors(source.name, kind.value):
        return _parquet(source) if kind is Format.PARQUET else _ipc(source, kind)


def _parquet(source: Input) -> FileEstimate:
    """Return what the footer says; bytes are those of the first rows, as encoded values tell little of them."""
    sample, rows = first_rows(source, _SAMPLE_ROWS)
    return FileEstimate(rows, sample, len(sample), _scaled(sample, rows), told_by="footer")


def _ipc(source: Input, kind: Format) -> FileEstimate:
    """Return what the frames of an IPC file or stream say; no batch but the first is opened."""
    head, frames = first_batch(source, kind, _SAMPLE_ROWS)
    rows = normalise(head, source.name)
    sample = rows.take(pa.array(range(len(rows)), pa.int64()))  # a copy, as a slice would keep the whole batch
    same = all(a.type.equals(b.type) for a, b in zip(head.schema, sample.schema, strict=True))
    return FileEstimate(
        rows=frames.rows,
        sample=sample,
        checked=len(sample),
        table_bytes=frames.unpacked if same else max(frames.unpacked, _scaled(sample, frames.rows)),
        mapped=same and not frames.compressed and source.is_mapped,
        told_by="lengths of the batches",
    )


def _scaled(sample: pa.Table, rows: int) -> float:
    return float(sample.nbytes) / max(1, len(sample)) * rows


def _json(beginning: TextSample, kind: Format, bad_rows: BadRows) -> FileEstimate:
    is_array = kind is Format.JSON_ARRAY
    if is_array:
        text = beginning.read_all() if beginning.whole else whole_elements(beginning.read_all())
    else:
        # A line that is cut at the end is no row.
        text = beginning.text if beginning.whole else beginning.text[: beginning.text.rfind(b"\n") + 1]
    table, part, _ = table_of_text(text, beginning.source.name, bad_rows, is_array=is_array)
    sample = table.slice(0, max(1, int(table.num_rows * _SAMPLE_BYTES / max(1, len(text)))))
    lines = list(part.lines or ())[: sample.num_rows]
    return _of_text(beginning, table.num_rows, sample, lines, sample.nbytes / max(1, table.nbytes))


def _csv(beginning: TextSample, kind: Format, bad_rows: BadRows) -> FileEstimate:
    header: list[str] = []
    records: list[Sequence[str | None]] = []
    lines: list[int] = []
    delimiter = delimiter_of(beginning.source, kind, beginning.text)
    with closing(csv_rows(beginning.source, beginning.lines(), delimiter, [])) as rows:
        try:
            header = header_of(rows)
            for count, (line, record) in enumerate(rows):
                if isinstance(record, DataError):
                    bad_rows.add(count, record)
                records.append([None] * len(header) if isinstance(record, DataError) else record)
                lines.append(line)
        except DataError as error:
            # A quote may close beyond the sample.
            if beginning.whole or not error.message.endswith("unexpected end of data"):
                raise
    schema = pa.schema([(name, pa.string()) for name in header])
    table = pa.Table.from_batches([string_batch(records, schema)] if records else [], schema)
    return _of_text(beginning, len(records), table, lines, 1.0)


def _of_text(beginning: TextSample, count: int, sample: pa.Table, lines: list[int], share: float) -> FileEstimate:
    """Return what `count` rows at the beginning say of a file; `sample` was made of this share of their text."""
    if not count and not beginning.whole:
        raise UsageError(
            "the number of rows cannot be estimated: the first one is longer than what is read of the file",
            where=beginning.source.name,
            got=f"{len(beginning.text):,} bytes without a whole row",
        )
    return FileEstimate(
        rows=beginning.scaled(count),
        sample=sample,
        checked=count,
        # From the text, not the rows: longer rows further on make fewer rows of the same text, and no other table.
        table_bytes=sample.nbytes * beginning.size / max(1.0, share * len(beginning.text)),
        exact=beginning.whole,
        lines=lines,
        text_bytes=beginning.size,
        read_bytes=beginning.share * beginning.source.size,
    )


_TEXT: Final[dict[Format, Callable[[TextSample, Format, BadRows], FileEstimate]]] = {
    Format.JSONL: _json,
    Format.JSON_ARRAY: _json,
    Format.CSV: _csv,
    Format.TSV: _csv,
}
