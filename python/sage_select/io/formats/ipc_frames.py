"""The frames of an Arrow IPC stream or file, checked before anything is uncompressed or believed.

Readers stop at the first end-of-stream marker and at the first complete footer: a second stream, trailing
bytes or a stream cut between two batches pass them unseen. The lengths that compressed buffers claim are
also here for the taking, so that a decompression bomb is refused before memory is spent.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from sage_select.errors import DataError
from sage_select.io.formats.flatbuffer import FlatTable
from sage_select.io.source.opened import Input

__all__ = ["Frames", "walk_file", "walk_stream"]

_CONTINUATION: Final = 0xFFFFFFFF
_FILE_MAGIC: Final = b"ARROW1"
_FILE_START: Final = 8
_FILE_END: Final = 4 + len(_FILE_MAGIC)
#: An end marker and the padding that some writers add before the footer.
_FILE_SLACK: Final = 72
# Fields of Arrow's flatbuffers schema, and the form of its structs.
_MESSAGE_KIND, _MESSAGE_HEADER, _MESSAGE_BODY = 1, 2, 3
_BATCH_ROWS, _BATCH_BUFFERS, _BATCH_COMPRESSION = 0, 2, 3
_DICTIONARY_DATA = 1
_FOOTER_DICTIONARIES, _FOOTER_BATCHES = 2, 3
_BUFFER: Final = "<qq"
_BLOCK: Final = "<qi4xq"
_DICTIONARY_BATCH: Final = 2
_RECORD_BATCH: Final = 3


@dataclass
class Frames:
    """What the frames of a file declare.

    Parameters
    ----------
    unpacked
        Bytes of all buffers when uncompressed.
    rows
        Rows of all record batches.
    ended
        Whether the end-of-stream marker is there.
    compressed
        Whether a batch is.
    """

    unpacked: int = 0
    rows: int = 0
    ended: bool = False
    compressed: bool = False


def walk_stream(data: Input) -> Frames:
    """Return what a stream declares; it must fill `data` to its end.

    Raises
    ------
    DataError
        Where it is cut off within a frame, or more follows its end.
    struct.error, ValueError
        Where the frames make no sense.
    """
    frames, position = Frames(), 0
    while position < data.size and not frames.ended:
        position = _next(data, position, frames)
    if position != data.size:
        second = data.at(position, 4) == b"\xff\xff\xff\xff"
        raise DataError(
            "another Arrow stream follows the first" if second else "bytes follow the end of the Arrow stream",
            where=data.name,
            got=f"{data.size - position} bytes after the end marker",
        )
    return frames


def _next(data: Input, position: int, frames: Frames) -> int:
    """Add what the frame at `position` declares and return where the next begins."""
    (size,) = struct.unpack("<I", data.at(position, 4))
    position += 4
    if size == _CONTINUATION:
        (size,) = struct.unpack("<i", data.at(position, 4))
        position += 4
    if size == 0:
        frames.ended = True
        return position
    body = position + int(size)
    if size < 0 or body > data.size:
        raise DataError("is cut off within a batch", where=data.name)
    length = _message(data, position, body, frames)
    if length < 0 or body + length > data.size:
        raise DataError("is cut off within a batch", where=data.name)
    return body + length


def walk_file(data: Input) -> Frames:
    """Return what an IPC file declares; its batches must lead to its footer.

    Only the footer says where the batches are: what lies between them is the writer's own affair.

    Raises
    ------
    DataError
        Where the footer is missing, or is that of another file.
    struct.error, ValueError
        Where the frames make no sense.
    """
    tail = data.at(max(0, data.size - _FILE_END), _FILE_END)
    if data.size < _FILE_START + _FILE_END or not tail.endswith(_FILE_MAGIC):
        raise DataError("is cut off: an Arrow IPC file ends with ARROW1", where=data.name)
    (size,) = struct.unpack_from("<i", tail)
    end = data.size - _FILE_END - size
    if size <= 0 or end < _FILE_START:
        raise DataError("is damaged: the footer's length is wrong", where=data.name)
    footer = FlatTable.root(memoryview(data.at(end, size)))
    blocks = [*footer.structs(_FOOTER_DICTIONARIES, _BLOCK), *footer.structs(_FOOTER_BATCHES, _BLOCK)]
    frames, ends = Frames(ended=True), []
    for offset, metadata, body in blocks:
        start = offset + metadata
        if offset < _FILE_START or metadata < 8 or body < 0 or start + body > end:
            raise DataError("is damaged: the footer places a batch outside the file", where=data.name)
        prefix = 8 if data.at(offset, 4) == b"\xff\xff\xff\xff" else 4
        _message(data, offset + prefix, start, frames)
        ends.append(start + body)
    if end - max(ends, default=end) > _FILE_SLACK:
        raise DataError("more bytes lie between the batches and the footer than belong there", where=data.name)
    return frames


def _message(data: Input, start: int, body: int, frames: Frames) -> int:
    """Add what one message declares and return the length of its body, which begins at `body`."""
    message = FlatTable.root(memoryview(data.at(start, body - start)))
    kind = message.number(_MESSAGE_KIND, "<B")
    if kind == _DICTIONARY_BATCH:
        _batch(message.table(_MESSAGE_HEADER).table(_DICTIONARY_DATA), data, body, frames)
    elif kind == _RECORD_BATCH:
        frames.rows += _batch(message.table(_MESSAGE_HEADER), data, body, frames)
    return message.number(_MESSAGE_BODY, "<q")


def _batch(batch: FlatTable, data: Input, body: int, frames: Frames) -> int:
    compressed = batch.has(_BATCH_COMPRESSION)
    frames.compressed |= compressed
    for offset, length in batch.structs(_BATCH_BUFFERS, _BUFFER):
        if offset < 0 or length < 0:
            raise ValueError("a buffer has a negative place")
        unpacked = length
        if compressed and length >= 8:
            (claimed,) = struct.unpack("<q", data.at(body + offset, 8))
            unpacked = length - 8 if claimed == -1 else claimed
            if unpacked < 0:
                raise ValueError("a compressed buffer claims a negative length")
        frames.unpacked += unpacked
    rows = batch.number(_BATCH_ROWS, "<q")
    if rows < 0:
        raise ValueError("a batch has a negative number of rows")
    return rows
