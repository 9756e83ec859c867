"""Arrow IPC files and streams, told apart by their first bytes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from sage_select.io.damage import guarded, refuse_expansion
from sage_select.io.inputs import Input
from sage_select.io.ipc_frames import Frames, walk_file, walk_stream
from sage_select.io.normalise import normalise
from sage_select.io.sniff import Format

__all__ = ["opened_ipc", "read_ipc"]


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
        opened, frames = opened_ipc(source, kind)
        if not frames.ended:
            notices.append(
                f"{source.name}: the stream of {frames.rows} rows has no end marker; it may have been cut off"
            )
        table = opened.read_all()
        table.validate(full=True)
        return normalise(table, source.name), notices


def opened_ipc(source: Input, kind: Format) -> tuple[Any, Frames]:
    """Return Arrow's reader of an IPC file or stream, mapped into memory, and what its frames declare.

    Only the frames' own bytes are touched, none of the values. To be called under `guarded`.
    """
    data = pa.memory_map(str(source.path)).read_buffer()
    stream = kind is Format.ARROW_STREAM
    frames = (walk_stream if stream else walk_file)(memoryview(data), source.name)
    refuse_expansion(max(frames.unpacked, frames.rows), data.size, source.name)
    return pa.ipc.open_stream(data) if stream else pa.ipc.open_file(data), frames
