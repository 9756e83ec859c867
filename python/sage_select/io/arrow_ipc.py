"""Arrow IPC files and streams, told apart by their first bytes."""

from __future__ import annotations

import pyarrow as pa

from sage_select.io.damage import guarded, refuse_expansion
from sage_select.io.inputs import Input
from sage_select.io.ipc_frames import walk_file, walk_stream
from sage_select.io.normalise import normalise
from sage_select.io.sniff import Format

__all__ = ["read_ipc"]


def read_ipc(source: Input, kind: Format) -> tuple[pa.Table, list[str]]:
    """Return the table of an IPC file or stream, and notices.

    The file is mapped into memory, so that uncompressed columns cost no memory of their own, and every value
    is validated, because Arrow trusts what it reads.

    Raises
    ------
    DataError
        Where the file is damaged, cut off, or more than one stream.
    """
    notices = []
    with guarded(source.name, kind.value):
        data = pa.memory_map(str(source.path)).read_buffer()
        if kind is Format.ARROW_STREAM:
            frames = walk_stream(memoryview(data), source.name)
            if not frames.ended:
                notices.append(
                    f"{source.name}: the stream of {frames.rows} rows has no end marker; it may have been cut off"
                )
        else:
            frames = walk_file(memoryview(data), source.name)
        refuse_expansion(max(frames.unpacked, frames.rows), data.size, source.name)
        opened = pa.ipc.open_stream(data) if kind is Format.ARROW_STREAM else pa.ipc.open_file(data)
        table = opened.read_all()
        table.validate(full=True)
        return normalise(table, source.name), notices
