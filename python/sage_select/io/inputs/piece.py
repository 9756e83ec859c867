"""Pieces of a text file, from which its rows are estimated without reading the rest."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from sage_select.io.formats.text import TextFile, open_text
from sage_select.io.source.opened import Input
from sage_select.io.source.progress import Meter

__all__ = ["Piece", "first_piece"]

_BLOCK: Final = 1 << 16
#: Most bytes of text in the first piece, however long its first line is.
_LARGEST: Final = 8 << 20
#: Places of a plain file, beside its beginning, where the line feeds of a block are counted. Files are often in an
#: order that puts short rows first.
_PLACES: Final = 15
#: How much of a packed file, which has no places to jump to, is unpacked to count line feeds: 0.3 s at most.
_UNPACKED: Final = 64 << 20
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Piece:
    """The beginning of a text file, and how the rest of it seems to be.

    Parameters
    ----------
    source
        The file.
    text
        Its beginning, without a byte order mark.
    whole
        Whether that is all of it.
    size
        Bytes of text in the file; an estimate for a packed one that was not unpacked to its end.
    feeds
        Line feeds in the file, estimated unless `whole`.
    seen
        The share of the file that was looked at.
    """

    source: Input
    text: bytes
    whole: bool
    size: float
    feeds: float
    seen: float

    def read_all(self) -> bytes:
        """Return the piece, without a character that is cut at its end."""
        if self.whole:
            return self.text
        try:
            _, complete = codecs.utf_8_decode(self.text, "strict", False)
        except UnicodeDecodeError:
            return self.text  # the reader tells where
        return self.text[:complete]

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield (line number from 1, bytes of the line), without a line that is cut at the end."""
        lines = self.text.split(b"\n")
        last = lines.pop()
        yield from enumerate(lines, start=1)
        if last and self.whole:
            yield len(lines) + 1, last

    def scaled(self, rows: int) -> int:
        """Return how many rows the file has where the piece has so many."""
        if self.whole:
            return rows
        # The piece ends within a row: half a row more, on average.
        feeds = self.text.count(b"\n")
        by_bytes = (rows + 0.5) * self.size / max(1, len(self.text))
        return max(rows, round(self.feeds * rows / feeds if feeds >= rows > 0 else by_bytes))


def first_piece(source: Input, size: int) -> Piece:
    """Read about `size` bytes of a file as they lie in it, and look further on for how its lines go on.

    The piece is longer where no line ends within `size`, and at most 8 MiB of text. Beside it, blocks of 64 KiB are
    looked at in 15 places of a plain file, and at most 64 MiB of the text of a packed one.

    Raises
    ------
    DataError
        Where the file is damaged so far.
    """
    text = bytearray()
    ended = False
    with open_text(source, Meter(None, 0)) as file:
        while not ended and len(text) < _LARGEST and not (file.consumed >= size and b"\n" in text):
            block = file.read(_BLOCK)
            text += block
            ended = not block
        head = _Seen(text.count(b"\n"), len(text))
        size_of_text = float(source.size)
        more = _Seen(0, 0)
        if not ended and file.compressed:
            more, ended_later = _unpacked(file, _UNPACKED - head.read)
            seen = head.read + more.read
            size_of_text = float(seen) if ended_later else seen * source.size / file.consumed
        elif not ended and head.read < source.size:
            more = _places(source, head.read)
        else:
            ended, size_of_text = True, float(head.read)
    # What follows the piece goes on as where it was looked at, which need not be as the piece is.
    rest = max(0.0, size_of_text - head.read)
    feeds = head.feeds + (rest * more.feeds / more.read if more.read else 0.0)
    share = min(1.0, (head.read + more.read) / max(1.0, size_of_text))
    return Piece(source, bytes(text).removeprefix(_BOM), ended, size_of_text, feeds, share)


class _Seen(NamedTuple):
    """Line feeds, and the bytes among which they were counted."""

    feeds: int
    read: int


def _unpacked(file: TextFile, most: int) -> tuple[_Seen, bool]:
    """Read on, and tell whether the text ended."""
    feeds = read = 0
    while read < most:
        block = file.read(_BLOCK)
        if not block:
            return _Seen(feeds, read), True
        feeds, read = feeds + block.count(b"\n"), read + len(block)
    return _Seen(feeds, read), False


def _places(source: Input, start: int) -> _Seen:
    """Look at blocks spread over what follows `start`."""
    feeds = read = 0
    for place in range(_PLACES):
        block = source.at(start + (source.size - start) * place // _PLACES, _BLOCK)
        feeds, read = feeds + block.count(b"\n"), read + len(block)
    return _Seen(feeds, read)
