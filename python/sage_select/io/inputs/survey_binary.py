"""Parquet and Arrow IPC files before they are read: exact numbers of rows from footers and frames."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from sage_select.io.formats.arrow_ipc import first_batch
from sage_select.io.formats.parquet import first_rows
from sage_select.io.formats.sniff import Format, format_of
from sage_select.io.guards.damage import guarded
from sage_select.io.inputs.survey_file import FileSurvey
from sage_select.io.source.opened import Input
from sage_select.io.tables.bad_rows import BadRows
from sage_select.io.tables.normalise import normalise

__all__ = ["survey_ipc", "survey_parquet"]

_SAMPLE_ROWS: Final = 1024


def survey_parquet(source: Input, _kind: Format, _piece: int, _bad_rows: BadRows) -> FileSurvey:
    """Return what the footer says; bytes are those of the first rows, as encoded values tell little of them."""
    with guarded(source.name, Format.PARQUET.value):
        sample, rows = first_rows(source, _SAMPLE_ROWS)
    return FileSurvey(
        rows, exact=True, sample=sample, looked_at=len(sample), table_bytes=_scaled(sample, rows), said="footer"
    )


def survey_ipc(source: Input, kind: Format, _piece: int, _bad_rows: BadRows) -> FileSurvey:
    """Return what the frames of an IPC file or stream say; no batch but the first is opened."""
    if kind is Format.HF_FOLDER:
        kind = format_of(source.at(0, 8)) or Format.ARROW_STREAM
    with guarded(source.name, kind.value):
        head, frames = first_batch(source, kind, _SAMPLE_ROWS)
        sample = normalise(head, source.name)
    same = all(a.type.equals(b.type) for a, b in zip(head.schema, sample.schema, strict=True))
    return FileSurvey(
        rows=frames.rows,
        exact=True,
        sample=sample,
        looked_at=len(sample),
        table_bytes=frames.unpacked if same else max(frames.unpacked, _scaled(sample, frames.rows)),
        mapped=same and not frames.compressed and source.is_mapped,
        said="lengths of the batches",
    )


def _scaled(sample: pa.Table, rows: int) -> float:
    return float(sample.nbytes) / max(1, len(sample)) * rows
