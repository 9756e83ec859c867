"""The headers of the pages of a Parquet column, read before the pages: what they hold must be what the footer says.

A writer puts the dictionary of a column before its first page of values. A file that brings one later, or pages of more
values than the column has, could stand for any number of bytes that its first row does not tell of.
"""

from __future__ import annotations

from collections.abc import Callable
from io import RawIOBase
from typing import Any, Final, NamedTuple

from sage_select.errors import DataError

__all__ = ["check_pages"]

#: Bytes that a header takes as a rule, and at most: statistics of long texts are in it.
_WINDOW: Final = 1 << 12
_LONGEST: Final = 1 << 26
_DICTIONARY: Final = 2
#: Field numbers of a page header, and of the headers of values within it (parquet.thrift).
_TYPE, _PACKED, _VALUES = 1, 3, (5, 8)
_DEEPEST: Final = 8


class _Page(NamedTuple):
    kind: int
    header_bytes: int
    packed_bytes: int
    values: int


def check_pages(raw: RawIOBase, column: Any, name: str) -> None:
    """Refuse a column chunk whose pages hold a dictionary that is not the first of them, or too many values.

    Parameters
    ----------
    raw
        The file.
    column
        The footer's description of the chunk (`pyarrow.parquet.ColumnChunkMetaData`).
    name
        The file, for messages.

    Raises
    ------
    DataError
        As said, and where a header cannot be read.

    Notes
    -----
    One read of 4 KiB a page.
    """
    starts = [column.data_page_offset, column.dictionary_page_offset if column.has_dictionary_page else None]
    position = start = min(one for one in starts if one is not None and one > 0)
    end, values = start + column.total_compressed_size, 0
    while position < end and values < column.num_values:
        page = _page(raw, position, name)
        if page.kind == _DICTIONARY and position != start:
            raise _refused(name, column, "a dictionary after its first page")
        values += page.values
        if values > column.num_values:
            raise _refused(name, column, f"pages of more than the {column.num_values:,} values of the footer")
        position += page.header_bytes + page.packed_bytes


def _refused(name: str, column: Any, got: str) -> DataError:
    return DataError(
        "is damaged: a column is not as its footer says",
        where=name,
        expected=f"{column.path_in_schema!r} sound",
        got=got,
    )


def _page(raw: RawIOBase, position: int, name: str) -> _Page:
    """Return what the page header at `position` says."""
    window = _WINDOW
    while True:
        raw.seek(position)
        reader = _Compact(raw.read(window) or b"")
        try:
            fields = reader.struct()
        except IndexError:
            if len(reader.data) < window or window >= _LONGEST:
                raise DataError("is damaged: the header of a page cannot be read", where=name) from None
            window *= 16
            continue
        except ValueError as error:
            raise DataError("is damaged: the header of a page cannot be read", where=name, got=str(error)) from None
        counts = [fields[one].get(1) for one in _VALUES if isinstance(fields.get(one), dict)]
        kind, packed = fields.get(_TYPE), fields.get(_PACKED)
        numbers = [kind, packed, *counts]
        if not all(isinstance(one, int) and one >= 0 for one in numbers):
            raise DataError("is damaged: the header of a page cannot be read", where=name)
        return _Page(int(kind), reader.position, int(packed), sum(counts))  # type: ignore[arg-type]


class _Compact:
    """Reads structs in Thrift's compact protocol; IndexError where the data ends, ValueError where it means nothing."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0
        self._readers: dict[int, Callable[[int], Any]] = {
            1: lambda _: True,
            2: lambda _: False,
            3: lambda _: self._byte(),
            4: lambda _: self._integer(),
            5: lambda _: self._integer(),
            6: lambda _: self._integer(),
            7: lambda _: self._skip(8),
            8: lambda _: self._skip(self._varint()),
            9: self._list,
            10: self._list,
            12: self.struct,
        }

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Return field number -> value; of texts, lists and floats nothing but that they are there."""
        if depth > _DEEPEST:
            raise ValueError("nested too deep")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind not in self._readers:
            raise ValueError(f"a field of type {kind}")
        return self._readers[kind](depth + 1)

    def _list(self, depth: int) -> None:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._varint()
        for _ in range(count):
            if head & 15 in (1, 2):
                self._byte()
            else:
                self._value(head & 15, depth)

    def _byte(self) -> int:
        self.position += 1
        return self.data[self.position - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number of more than 64 bits")

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, count: int) -> None:
        self.position += count
        if self.position > len(self.data):
            raise IndexError
