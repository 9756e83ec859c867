"""Just enough of the flatbuffers format to read the messages and the footer of Arrow IPC."""

from __future__ import annotations

import struct
from typing import Any

__all__ = ["FlatTable"]


class FlatTable:
    """A flatbuffers table; fields go by their number in the schema.

    All methods raise `struct.error` or `ValueError` where the bytes make no sense.

    Parameters
    ----------
    data
        The buffer.
    position
        Where the table begins.
    """

    def __init__(self, data: memoryview, position: int) -> None:
        self._data = data
        self._position = position
        (back,) = struct.unpack_from("<i", data, position)
        self._vtable = position - back
        if self._vtable < 0:
            raise ValueError("a table points outside its message")
        (self._vtable_size,) = struct.unpack_from("<H", data, self._vtable)

    @classmethod
    def root(cls, data: memoryview) -> FlatTable:
        """Return the table that the buffer is about."""
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def has(self, field: int) -> bool:
        """Tell whether the field is there."""
        return self._place(field) != 0

    def number(self, field: int, form: str) -> int:
        """Return a number of the given `struct` form; 0 where it is missing."""
        place = self._place(field)
        return int(struct.unpack_from(form, self._data, place)[0]) if place else 0

    def table(self, field: int) -> FlatTable:
        """Return a table that the field points to."""
        return FlatTable(self._data, self._target(field))

    def structs(self, field: int, form: str) -> list[tuple[Any, ...]]:
        """Return a vector of structs of the given `struct` form; none where it is missing."""
        if not self.has(field):
            return []
        vector = self._target(field)
        (count,) = struct.unpack_from("<I", self._data, vector)
        size = struct.calcsize(form)
        if vector + 4 + count * size > len(self._data):
            raise ValueError("a vector is longer than its message")
        return list(struct.iter_unpack(form, self._data[vector + 4 : vector + 4 + count * size]))

    def _target(self, field: int) -> int:
        place = self._place(field)
        if not place:
            raise ValueError("a message lacks a part")
        return place + int(struct.unpack_from("<I", self._data, place)[0])

    def _place(self, field: int) -> int:
        entry = 4 + 2 * field
        if entry + 2 > self._vtable_size:
            return 0
        (offset,) = struct.unpack_from("<H", self._data, self._vtable + entry)
        return self._position + int(offset) if offset else 0
