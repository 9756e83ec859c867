"""Text files before they are read: rows estimated from a first piece."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Final

import pyarrow as pa

from sage_select.errors import DataError, UsageError
from sage_select.io.formats.csv_file import csv_rows, header_of, string_batch
from sage_select.io.formats.json_faults import whole_elements
from sage_select.io.formats.json_table import table_of_text
from sage_select.io.formats.sniff import Format
from sage_select.io.inputs.piece import Piece, first_piece
from sage_select.io.inputs.survey_file import FileSurvey
from sage_select.io.source.opened import Input
from sage_select.io.tables.bad_rows import BadRows

__all__ = ["survey_csv", "survey_json"]

#: How much JSON becomes the sample.
_SAMPLE_BYTES: Final = 1 << 20


def survey_json(source: Input, kind: Format, size: int, bad_rows: BadRows) -> FileSurvey:
    """Return what the first `size` bytes say of JSON lines or a JSON array.

    Rows among them that cannot be used are null in the sample.

    Raises
    ------
    DataError
        Where the file cannot be read on.
    UsageError
        Where not even one row ends among them.
    """
    piece = first_piece(source, size)
    is_array = kind is Format.JSON_ARRAY
    if is_array:
        text = piece.read_all() if piece.whole else whole_elements(piece.read_all())
    else:
        # A line that is cut at the end is no row.
        text = piece.text if piece.whole else piece.text[: piece.text.rfind(b"\n") + 1]
    table, part, _ = table_of_text(text, source.name, bad_rows, is_array=is_array)
    sample = table.slice(0, max(1, int(table.num_rows * _SAMPLE_BYTES / max(1, len(text)))))
    lines = list(part.lines or ())[: sample.num_rows]
    return _surveyed(piece, table.num_rows, sample, lines, sample.nbytes / max(1, table.nbytes))


def survey_csv(source: Input, kind: Format, size: int, bad_rows: BadRows) -> FileSurvey:
    """Return what the first `size` bytes say of CSV; it raises as `survey_json` does."""
    piece = first_piece(source, size)
    header: list[str] = []
    records: list[Sequence[str | None]] = []
    lines: list[int] = []
    with closing(csv_rows(piece, kind, [])) as rows:
        try:
            header = header_of(rows)
            for count, (line, record) in enumerate(rows):
                if isinstance(record, DataError):
                    bad_rows.add(count, record)
                records.append([None] * len(header) if isinstance(record, DataError) else record)
                lines.append(line)
        except DataError as error:
            # A quote may close beyond the piece.
            if piece.whole or not error.message.endswith("unexpected end of data"):
                raise
    schema = pa.schema([(name, pa.string()) for name in header])
    table = pa.Table.from_batches([string_batch(records, schema)] if records else [], schema)
    return _surveyed(piece, len(records), table, lines, 1.0)


def _surveyed(piece: Piece, count: int, sample: pa.Table, lines: list[int], share: float) -> FileSurvey:
    """Return what a piece with `count` rows says of its file; `sample` was made of this share of its text."""
    if not count and not piece.whole:
        raise UsageError(
            "the number of rows cannot be estimated: the first one is longer than the piece that is looked at",
            where=piece.source.name,
            got=f"{len(piece.text):,} bytes without a whole row",
        )
    return FileSurvey(
        rows=piece.scaled(count),
        exact=piece.whole,
        sample=sample,
        looked_at=count,
        lines=lines,
        # From the text, not the rows: longer rows further on make fewer rows of the same text, and no other table.
        table_bytes=sample.nbytes * piece.size / max(1.0, share * len(piece.text)),
        text_bytes=piece.size,
        seen=piece.seen * piece.source.size,
    )
