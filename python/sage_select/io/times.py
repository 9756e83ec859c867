"""Dates and times that Python, and most formats, cannot hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from sage_select.errors import DataError, Where

__all__ = ["refuse_times_out_of_range"]

_DAY: Final = 86_400
#: The first second of the year 1, and the last of the year 9999.
_FIRST: Final = -62_135_596_800
_LAST: Final = 253_402_300_799
#: What `datetime.timedelta` holds, in seconds.
_LONGEST: Final = 999_999_999 * _DAY
_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def refuse_times_out_of_range(column: pa.ChunkedArray, where: Where) -> None:
    """Refuse a column, of plain types, that holds a date, time or duration which no Python object can hold.

    Raises
    ------
    DataError
        Where there is one: before the year 1, after the year 9999, no time of a day, too long.
    """
    for chunk in column.chunks:
        for values, least, most in _times(chunk):
            found = pc.min_max(values)
            for end in (found["min"], found["max"]):
                if end.is_valid and not least <= end.as_py() <= most:
                    raise DataError(
                        "a date or time is out of range",
                        where=where,
                        expected="the years 1 to 9999, times of a day, durations below a billion days",
                        got=f"{chunk.type} with the number {end.as_py()}",
                        hint="make it null, cast the column to text, or leave it out",
                    )


def _times(array: Any) -> Iterator[tuple[pa.Array, int, int]]:
    """Yield the numbers behind the times of an array, nested ones too, and their least and greatest."""
    kind, types = array.type, pa.types
    if types.is_timestamp(kind):
        yield array.view(pa.int64()), _FIRST * _PER_SECOND[kind.unit], (_LAST + 1) * _PER_SECOND[kind.unit] - 1
    elif types.is_duration(kind):
        yield array.view(pa.int64()), -_LONGEST * _PER_SECOND[kind.unit], _LONGEST * _PER_SECOND[kind.unit]
    elif types.is_time(kind):
        numbers = array.view(pa.int32() if types.is_time32(kind) else pa.int64())
        yield numbers, 0, _DAY * _PER_SECOND[kind.unit] - 1
    elif types.is_date32(kind):
        yield array.view(pa.int32()), _FIRST // _DAY, _LAST // _DAY
    elif types.is_date64(kind):
        yield array.view(pa.int64()), _FIRST * 1000, _LAST * 1000 + 999
    elif types.is_struct(kind):
        for child in array.flatten():
            yield from _times(child)
    elif types.is_map(kind):
        yield from _times(array.keys)
        yield from _times(array.items)
    elif types.is_list(kind) or types.is_fixed_size_list(kind):
        yield from _times(array.flatten())
