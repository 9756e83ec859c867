"""Records of CSV that are sound, read by Arrow: the fast way, beside the reader that takes one record after the other.

Arrow's reader is lenient: it takes text after a closing quote, and ends a file within a quote. So a chunk of text goes
to it only where the places of all quotes and line ends show that both readers see the same records in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

__all__ = ["SoundRecords", "sound_records"]

_QUOTE, _FEED, _RETURN = b'"\n\r'
_SPECIAL: Final = frozenset('"\n\r')
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class SoundRecords:
    """The whole records at the beginning of a text.

    Parameters
    ----------
    table
        Their values, all of them strings.
    lines
        int64, the line in which each record begins, from 0.
    size, feeds
        Bytes of the text that they fill, with the blank lines among them, and line feeds in that.
    """

    table: pa.Table
    lines: NDArray[np.int64]
    size: int
    feeds: int


def sound_records(text: bytes, delimiter: str, names: list[str]) -> SoundRecords | None:
    """Return the whole records at the beginning of a text; None where they must be read one by one.

    Parameters
    ----------
    text
        Begins where a record does, with a line feed at its end if it is the last of its file.
    delimiter
        What stands between values.
    names
        The columns.

    Notes
    -----
    What is not sound need not be wrong: a quote within a value that is not quoted, too, is left to the other reader.
    """
    # Arrow would pass over a mark of byte order.
    if not delimiter.isascii() or delimiter in _SPECIAL or text.startswith(_BOM):
        return None
    found = _records(text, ord(delimiter))
    if found is None:
        return None
    size, starts, feeds = found
    table = _read(text[:size], delimiter, names)
    if table is None or table.num_rows != len(starts):
        return None
    return SoundRecords(table, np.searchsorted(feeds, starts), size, int(np.searchsorted(feeds, size)))


def _records(text: bytes, delimiter: int) -> tuple[int, NDArray[np.int64], NDArray[np.int64]] | None:
    """Return where the last whole record ends, where each begins, and all line feeds; None where one is not sound."""
    data = np.frombuffer(text, np.uint8)
    quotes, feeds = np.flatnonzero(data == _QUOTE), np.flatnonzero(data == _FEED)
    ends = feeds[_outside(feeds, quotes)]
    if not len(ends):
        return 0, ends, feeds
    size = int(ends[-1]) + 1
    data, quotes = data[:size], quotes[: np.searchsorted(quotes, size)]
    # A quote opens after a delimiter or a line end, and closes before one; two in a row stand for one.
    opening, closing = quotes[::2], quotes[1::2]
    before, after = data[opening[opening > 0] - 1], data[closing + 1]
    returns = np.flatnonzero(data == _RETURN)
    returns = returns[_outside(returns, quotes)]
    if not (
        np.isin(before, (delimiter, _FEED, _QUOTE)).all()
        and np.isin(after, (delimiter, _FEED, _RETURN, _QUOTE)).all()
        and (data[returns + 1] == _FEED).all()
    ):
        return None
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts
    blank = (lengths == 0) | ((lengths == 1) & (data[starts] == _RETURN))
    return size, starts[~blank], feeds


def _outside(places: NDArray[np.int64], quotes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which places have an even number of quotes before them."""
    return np.asarray(np.searchsorted(quotes, places) % 2 == 0)


def _read(text: bytes, delimiter: str, names: list[str]) -> pa.Table | None:
    csv: Any = pa.csv
    if not text:
        return pa.table([pa.array([], pa.string()) for _ in names], names=names)
    try:
        return csv.read_csv(
            pa.BufferReader(text),
            read_options=csv.ReadOptions(column_names=names, block_size=len(text) + 1, use_threads=False),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[], strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:  # no UTF-8, or another number of values: the other reader says where
        return None
