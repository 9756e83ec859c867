"""Parquet and Arrow IPC files before they are read: exact numbers of rows from footers and frames."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from sage_select.io.arrow_ipc import opened_ipc
from sage_select.io.damage import guarded
from sage_select.io.inputs import Input
from sage_select.io.normalise import normalise
from sage_select.io.sniff import Format, format_of
from sage_select.io.survey_file import FileSurvey

__all__ = ["survey_ipc", "survey_parquet"]

_SAMPLE_ROWS: Final = 1024
#: A column is read through a buffer of this size, so that a large row group is not taken in whole.
_BUFFER: Final = 1 << 16


def survey_parquet(source: Input, _kind: Format, _piece: int) -> FileSurvey:
    """Return what the footer says; bytes are those of the first rows, as encoded values tell little of them."""
    with (
        guarded(source.name, Format.PARQUET.value),
        pq.ParquetFile(source.path, buffer_size=_BUFFER, page_checksum_verification=True) as file,
    ):
        rows = int(file.metadata.num_rows)
        batches = file.iter_batches(batch_size=_SAMPLE_ROWS, use_threads=False)
        table = pa.Table.from_batches([batch for batch, _ in zip(batches, range(1), strict=False)], file.schema_arrow)
        sample = normalise(table, source.name)
    return FileSurvey(rows, exact=True, sample=sample, table_bytes=_scaled(sample, rows), said="footer")


def survey_ipc(source: Input, kind: Format, _piece: int) -> FileSurvey:
    """Return what the frames of an IPC file or stream say; no batch but the first is opened."""
    if kind is Format.HF_FOLDER:
        with source.path.open("rb") as raw:
            kind = format_of(raw.read(8)) or Format.ARROW_STREAM
    with guarded(source.name, kind.value):
        opened, frames = opened_ipc(source, kind)
        if frames.rows:
            first = opened.read_next_batch() if kind is Format.ARROW_STREAM else opened.get_batch(0)
            head = pa.Table.from_batches([first.slice(0, _SAMPLE_ROWS)])
        else:
            head = opened.schema.empty_table()
        sample = normalise(head, source.name)
    same = all(a.type.equals(b.type) for a, b in zip(head.schema, sample.schema, strict=True))
    return FileSurvey(
        rows=frames.rows,
        exact=True,
        sample=sample,
        table_bytes=frames.unpacked if same else max(frames.unpacked, _scaled(sample, frames.rows)),
        mapped=same and not frames.compressed,
        said="lengths of the batches",
    )


def _scaled(sample: pa.Table, rows: int) -> float:
    return float(sample.nbytes) / max(1, len(sample)) * rows
