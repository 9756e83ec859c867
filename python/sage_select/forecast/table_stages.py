"""The costs of reading rows, naming them and writing those that were selected."""

from __future__ import annotations

from typing import Final

from sage_select.forecast.costs import Costs
from sage_select.forecast.stage import Stage
from sage_select.forecast.workload import Workload
from sage_select.io import Format
from sage_select.io.csv_file import BATCH_ROWS as CSV_BATCH_ROWS
from sage_select.io.json_source import BATCH_CHARACTERS
from sage_select.io.json_source import BATCH_ROWS as JSON_BATCH_ROWS
from sage_select.ops import Sink

__all__ = ["ids", "read", "write"]

#: An id made from content: 32 hexadecimal digits and a 32-bit offset.
_ID: Final = 36
_NANO: Final = 1e-9


def read(work: Workload, costs: Costs) -> Stage:
    """Return what reading the table costs, with the digests of all files that the run depends on."""
    table, n = work.table, work.rows
    held = table.held * n
    text = table.text * n
    digested = table.file * n + _beside(work)
    nanoseconds = digested * costs.digest_ns + text * costs.gunzip_ns * table.packed
    working = pooled = 0.0
    if table.format in (Format.JSONL, Format.JSON_ARRAY):
        batch = min(text, BATCH_CHARACTERS, JSON_BATCH_ROWS * table.text)
        pooled = costs.json_batch_bytes * batch
        # An array is held as bytes, in blocks and joined, and as text.
        working = 2 * text if table.format is Format.JSON_ARRAY else 0.0
        nanoseconds += text * costs.json_ns
    elif table.format in (Format.CSV, Format.TSV):
        pooled = costs.csv_batch_bytes * min(text, CSV_BATCH_ROWS * table.text)
        held += 8 * n  # the line of each row
        nanoseconds += text * costs.csv_ns
    elif table.format is Format.PARQUET:
        pooled = costs.parquet_bytes * held
        nanoseconds += held * costs.parquet_ns
    else:
        nanoseconds += held * costs.ipc_ns
    mapped = 0.0
    if table.format in (Format.ARROW_FILE, Format.ARROW_STREAM, Format.HF_FOLDER):
        mapped = table.file * n
        held = 0.0 if table.mapped else held
    return Stage("read", working + held, pooled, held, mapped, nanoseconds * _NANO)


def _beside(work: Workload) -> float:
    """Return the bytes of scores and vectors that lie in files of their own."""
    vectors = work.vectors
    of_vectors = vectors.item * vectors.dimensions if vectors is not None and vectors.origin == "file" else 0
    return float(work.rows * (work.score_item + of_vectors))


def ids(work: Workload, costs: Costs) -> Stage:
    """Return what naming the rows costs: by content, or by a column, whose text is counted as an id of ours."""
    n = work.rows
    canonical = work.table.canonical
    nanoseconds = canonical * n * costs.canonical_ns + n * costs.id_row_ns
    return Stage("ids", (_ID + costs.id_row_bytes) * n, 0.0, _ID * n, 0.0, nanoseconds * _NANO)


def write(work: Workload, costs: Costs) -> Stage:
    """Return what the output costs: the rows taken out of the table, and the row report."""
    n = work.rows if work.plan.step(Sink).rows else 0
    output = work.table.held * work.kept
    nanoseconds = output * costs.write_ns + n * costs.story_row_ns
    return Stage("write", output, output + costs.story_row_bytes * n, output, 0.0, nanoseconds * _NANO)
