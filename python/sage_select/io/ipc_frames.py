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

__all__ = ["Frames", "walk_file", "walk_stream"]

_CONTINUATION: Final = 0xFFFFFFFF
_FILE_MAGIC: Final = b"ARROW1"
_FILE_START: Final = 8
_FILE_END: Final = 4 + len(_FILE_MAGIC)
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
    """

    unpacked: int = 0
    rows: int = 0
    ended: bool = False


def walk_stream(data: memoryview, name: str) -> Frames:
    """Return what a stream declares; it must fill `data` to its end.

    Raises
    ------
    DataError
        Where it is cut off within a frame, or more follows its end.
    struct.error, ValueError
        Where the frames make no sense.
    """
    frames, position = _walk(data, 0, len(data), name)
    if position != len(data):
        second = data[position : position + 4].tobytes() == b"\xff\xff\xff\xff"
        raise DataError(
            "another Arrow stream follows the first" if second else "bytes follow the end of the Arrow stream",
            where=name,
            got=f"{len(data) - position} bytes after the end marker",
        )
    return frames


def walk_file(data: memoryview, name: str) -> Frames:
    """Return what an IPC file declares; frames and footer must fill `data` exactly.

    Raises
    ------
    DataError
        Where the footer is missing, or the frames do not lead to it.
    struct.error, ValueError
        Where the frames make no sense.
    """
    if len(data) < _FILE_START + _FILE_END or data[-len(_FILE_MAGIC) :].tobytes() != _FILE_MAGIC:
        raise DataError("is cut off: an Arrow IPC file ends with ARROW1", where=name)
    (footer,) = struct.unpack_from("<i", data, len(data) - _FILE_END)
    end = len(data) - _FILE_END - footer
    if footer <= 0 or end < _FILE_START:
        raise DataError("is damaged: the footer's length is wrong", where=name)
    frames, position = _walk(data, _FILE_START, end, name)
    if position != end:
        raise DataError("more bytes lie between the batches and the footer than belong there", where=name)
    return frames


def _walk(data: memoryview, position: int, end: int, name: str) -> tuple[Frames, int]:
    frames = Frames()
    while position < end:
        (size,) = struct.unpack_from("<I", data, position)
        position += 4
        if size == _CONTINUATION:
            (size,) = struct.unpack_from("<i", data, position)
            position += 4
        if size == 0:
            frames.ended = True
            break
        body = position + size
        if size < 0 or body > end:
            raise DataError("is cut off within a batch", where=name)
        length = _message(data[position:body], data[body:end], frames)
        if length < 0 or body + length > end:
            raise DataError("is cut off within a batch", where=name)
        position = body + length
    return frames, position


def _message(metadata: memoryview, rest: memoryview, frames: Frames) -> int:
    """Add what one message declares and return the length of its body."""
    (start,) = struct.unpack_from("<I", metadata, 0)
    message = _Table(metadata, start)
    length = message.number(3, "<q")
    kind = message.number(1, "<B")
    if kind == _DICTIONARY_BATCH:
        _batch(message.table(2).table(1), rest, frames)
    elif kind == _RECORD_BATCH:
        frames.rows += _batch(message.table(2), rest, frames)
    return length


def _batch(batch: _Table, body: memoryview, frames: Frames) -> int:
    compressed = batch.has(3)
    for offset, length in batch.pairs(2):
        if offset < 0 or length < 0:
            raise ValueError("a buffer has a negative place")
        unpacked = length
        if compressed and length >= 8:
            (claimed,) = struct.unpack_from("<q", body, offset)
            unpacked = length - 8 if claimed == -1 else claimed
            if unpacked < 0:
                raise ValueError("a compressed buffer claims a negative length")
        frames.unpacked += unpacked
    return batch.number(0, "<q")


class _Table:
    """A table of the flatbuffers format, as far as Arrow's messages need it."""

    def __init__(self, data: memoryview, position: int) -> None:
        self._data = data
        self._position = position
        (back,) = struct.unpack_from("<i", data, position)
        self._vtable = position - back
        if self._vtable < 0:
            raise ValueError("a table points outside its message")
        (self._vtable_size,) = struct.unpack_from("<H", data, self._vtable)

    def _place(self, index: int) -> int:
        entry = 4 + 2 * index
        if entry + 2 > self._vtable_size:
            return 0
        (offset,) = struct.unpack_from("<H", self._data, self._vtable + entry)
        return self._position + offset if offset else 0

    def has(self, index: int) -> bool:
        return self._place(index) != 0

    def number(self, index: int, form: str) -> int:
        place = self._place(index)
        return int(struct.unpack_from(form, self._data, place)[0]) if place else 0

    def table(self, index: int) -> _Table:
        place = self._place(index)
        if not place:
            raise ValueError("a message lacks a part")
        return _Table(self._data, place + struct.unpack_from("<I", self._data, place)[0])

    def pairs(self, index: int) -> list[tuple[int, int]]:
        place = self._place(index)
        if not place:
            return []
        vector = place + struct.unpack_from("<I", self._data, place)[0]
        (count,) = struct.unpack_from("<I", self._data, vector)
        if count * 16 > len(self._data):
            raise ValueError("a list of buffers is longer than its message")
        return list(struct.iter_unpack("<qq", self._data[vector + 4 : vector + 4 + 16 * count]))
