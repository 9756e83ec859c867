"""Arrow IPC files and streams, told apart by their first bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from sage_select.io.formats.ipc_frames import Frames, walk_file, walk_stream
from sage_select.io.formats.sniff import Format
from sage_select.io.guards.damage import damage_errors, refuse_expansion
from sage_select.io.guards.expansion import ROW_BYTES, PlainSize
from sage_select.io.source.opened import Input
from sage_select.io.tables.normalise import normalise

__all__ = ["first_batch", "read_ipc"]


def read_ipc(source: Input, kind: Format) -> tuple[pa.Table, list[str]]:
    """Return the table of an IPC file or stream, and notices.

    Every value is validated, because Arrow trusts what it reads; what dictionaries, runs and views stand for is added
    up before it is written out.

    Raises
    ------
    DataError
        Where the file is damaged, cut off, or more than one stream.
    """
    notices = []
    with damage_errors(source.name, kind.value):
        frames = _frames(source, kind)
        if not frames.ended:
            notices.append(
                f"{source.name}: the stream of {frames.rows} rows has no end marker; it may have been cut off"
            )
        data = source.buffer()
        opened = pa.ipc.open_stream(data) if kind is Format.ARROW_STREAM else pa.ipc.open_file(data)
        size = PlainSize(source.size, source.name)
        batches = list(_validated(opened, size))
        return normalise(pa.Table.from_batches(batches, opened.schema), source.name), notices


def first_batch(source: Input, kind: Format, rows: int) -> tuple[pa.Table, Frames]:
    """Return up to `rows` rows of the first batch that has any, and what the frames declare; no batch after it is read.

    To be called under `damage_errors`.
    """
    frames = _frames(source, kind)
    opened: Any
    with source.open() as raw:
        opened = (pa.ipc.open_stream if kind is Format.ARROW_STREAM else pa.ipc.open_file)(pa.PythonFile(raw, "r"))
        batch = next((one for one in _batches(opened) if one.num_rows), None)
        if batch is None:
            return opened.schema.empty_table(), frames
        batch.validate(full=True)
        head = batch.slice(0, rows)
        PlainSize(source.size, source.name).add(head.columns, head.num_rows)
        return pa.Table.from_batches([head]), frames


def _frames(source: Input, kind: Format) -> Frames:
    """Return what the frames declare, once it is known to be no trap; none of the values is touched."""
    frames = (walk_stream if kind is Format.ARROW_STREAM else walk_file)(source)
    refuse_expansion(max(frames.unpacked, frames.rows * ROW_BYTES), source.size, source.name)
    return frames


def _batches(opened: Any) -> Iterator[pa.RecordBatch]:
    if isinstance(opened, pa.ipc.RecordBatchStreamReader):
        yield from opened
    else:
        yield from (opened.get_batch(index) for index in range(opened.num_record_batches))


def _validated(opened: Any, size: PlainSize) -> Iterator[pa.RecordBatch]:
    for batch in _batches(opened):
        batch.validate(full=True)
        size.add(batch.columns, batch.num_rows)
        yield batch
