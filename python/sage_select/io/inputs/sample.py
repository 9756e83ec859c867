"""The beginning of a text file, and what it lets us expect of the rest without reading it."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from sage_select.io.formats.text import open_text
from sage_select.io.source.opened import Input
from sage_select.io.source.progress import Meter

__all__ = ["TextSample", "read_sample"]

_BLOCK: Final = 1 << 16
#: Most bytes of text in a sample, however long its first line is.
_LARGEST: Final = 8 << 20
#: Blocks of a plain file, beside its beginning, whose line feeds are counted: files often begin with their short rows.
_BLOCKS: Final = 15
#: How much of a packed file, in which nobody can jump, is unpacked to count line feeds: 0.3 s at most.
_UNPACKED: Final = 64 << 20
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class TextSample:
    """The beginning of a text file, which readers of its format take.

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
    share
        The share of the file that was read, here or to count line feeds.
    """

    source: Input
    text: bytes
    whole: bool
    size: float
    feeds: float
    share: float

    def read_all(self) -> bytes:
        """Return the text, without a character that is cut at its end."""
        if self.whole:
            return self.text
        try:
            return self.text[: codecs.utf_8_decode(self.text, "strict", False)[1]]
        except UnicodeDecodeError:
            return self.text  # the reader tells where

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield (line number from 1, bytes of the line), without a line that is cut at the end."""
        lines = self.text.split(b"\n")
        last = lines.pop()
        yield from enumerate(lines, start=1)
        if last and self.whole:
            yield len(lines) + 1, last

    def scaled(self, rows: int) -> int:
        """Return how many rows the file has where the sample has so many."""
        if self.whole:
            return rows
        # The sample ends within a row: half a row more, on average.
        feeds = self.text.count(b"\n")
        by_bytes = (rows + 0.5) * self.size / max(1, len(self.text))
        return max(rows, round(self.feeds * rows / feeds if feeds >= rows > 0 else by_bytes))


def read_sample(source: Input, size: int) -> TextSample:
    """Read about `size` bytes of a file as they lie in it, and count line feeds further on.

    The sample is longer where no line ends within `size`, and at most 8 MiB of text. Beside it, 15 blocks of 64 KiB of
    a plain file are read, and at most 64 MiB of the text of a packed one.

    Raises
    ------
    DataError
        Where the file is damaged so far.
    """
    text = bytearray()
    with open_text(source, Meter(None, 0)) as file:
        while block := file.read(_BLOCK):
            text += block
            if len(text) >= _LARGEST or (file.consumed >= size and b"\n" in text):
                break
        whole = not block or (not file.compressed and len(text) >= source.size)
        later: Iterable[bytes] = ()
        if file.compressed:
            later = islice(iter(lambda: file.read(_BLOCK), b""), (_UNPACKED - len(text)) // _BLOCK)
        elif not whole:
            rest = source.size - len(text)
            later = (source.at(len(text) + rest * block // _BLOCKS, _BLOCK) for block in range(_BLOCKS))
        feeds = read = 0
        for block in later:
            feeds, read = feeds + block.count(b"\n"), read + len(block)
        total = float(len(text) if whole else source.size)
        if file.compressed:
            total = float(len(text) + read)
            total *= source.size / file.consumed if file.read(1) else 1.0
    # The rest goes on as the blocks that were counted, which need not be as the sample is.
    expected = text.count(b"\n") + (max(0.0, total - len(text)) * feeds / read if read else 0.0)
    share = min(1.0, (len(text) + read) / max(1.0, total))
    return TextSample(source, bytes(text).removeprefix(_BOM), whole, total, expected, share)
