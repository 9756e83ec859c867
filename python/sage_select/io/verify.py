"""Read back what was written, before it is given its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from sage_select.errors import ResourceError
from sage_select.io.damage import guarded
from sage_select.io.digest import digest_files
from sage_select.io.encode import OutputFormat
from sage_select.io.ipc_frames import walk_file, walk_stream
from sage_select.io.opened import Input
from sage_select.io.progress import Meter
from sage_select.io.text import open_text

__all__ = ["verify_rows", "verify_written"]


def verify_written(written: Sequence[tuple[Path, str]]) -> None:
    """Check that each file holds the bytes that went into it.

    Raises
    ------
    ResourceError
        Where it does not.
    """
    for path, digest in written:
        if digest_files([path]) != digest:
            raise ResourceError("the disk gave back other bytes than were written", where=str(path))


def verify_rows(path: Path, form: OutputFormat, rows: int) -> None:
    """Check that a data file can be opened and has its number of rows.

    Raises
    ------
    ResourceError
        Where it has not.
    """
    with guarded(str(path), "what was written"):
        found = _rows(path, form)
    if found != rows:
        raise ResourceError(
            "the output has another number of rows than were written",
            where=str(path),
            expected=str(rows),
            got=str(found),
        )


def _rows(path: Path, form: OutputFormat) -> int:
    if form is OutputFormat.PARQUET:
        return int(pq.read_metadata(path).num_rows)
    if form in (OutputFormat.JSONL, OutputFormat.JSONL_GZIP):
        with open_text(Input(path, str(path)), Meter(None, 0)) as text:
            return sum(1 for _ in text.lines())
    walk = walk_file if form is OutputFormat.ARROW_FILE else walk_stream
    return walk(Input(path, str(path))).rows
