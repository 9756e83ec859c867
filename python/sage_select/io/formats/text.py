"""Text files, plain or compressed, as a stream of lines.

A line ends at a line feed only: other characters that Unicode calls line ends are data.
"""

from __future__ import annotations

import codecs
import contextlib
import gzip
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from sage_select.errors import DataError, Where
from sage_select.io.formats.sniff import Compression, compression_of
from sage_select.io.guards.damage import damage_errors, refuse_expansion
from sage_select.io.source.opened import Input
from sage_select.io.source.progress import Meter

__all__ = ["MAX_LINE_BYTES", "TextFile", "decoded", "open_text"]

MAX_LINE_BYTES: Final = 1 << 29
_BLOCK: Final = 1 << 20
#: Bytes in which the end of a line is looked for ahead.
_AHEAD: Final = 1 << 16
_BOM: Final = b"\xef\xbb\xbf"
#: Byte order marks of UTF-16.
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


class TextFile:
    """An open text file. Damage in its compression is a `DataError` that names the file."""

    def __init__(self, source: Input, raw: Any, stream: Any, meter: Meter, *, compressed: bool) -> None:
        self.source = source
        self._raw = raw
        self._stream = stream
        self._meter = meter
        self._compressed = compressed
        self._packed = source.size
        self._done = 0

    @property
    def compressed(self) -> bool:
        """Whether the text is packed."""
        return self._compressed

    @property
    def consumed(self) -> int:
        """Bytes of the file, as they lie in it, that were taken in so far."""
        return int(self._raw.tell())

    @property
    def done(self) -> int:
        """Bytes of the text, unpacked, that were read so far."""
        return self._done

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes of the uncompressed text; empty at its end."""
        with damage_errors(self.source.name, "a text file"):
            block: bytes = self._stream.read(size)
        self._done += len(block)
        if self._compressed:
            refuse_expansion(self._done, self._packed, self.source.name)
        self._meter.at(self.consumed)
        return block

    def read_all(self) -> bytes:
        """Return the whole text without a byte order mark."""
        return b"".join(iter(lambda: self.read(_BLOCK), b"")).removeprefix(_BOM)

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the text in chunks of about `size` bytes that end where lines end.

        Raises
        ------
        DataError
            Where the file is damaged or a line is longer than `MAX_LINE_BYTES`.
        """
        rest, first = [b""], True
        while block := self.read(self._to_line_end(size)):
            if first:
                block, first = block.removeprefix(_BOM), False
            end = block.rfind(b"\n") + 1
            if not end:
                rest.append(block)
                if (length := sum(map(len, rest))) > MAX_LINE_BYTES:
                    line = self._line_at(self._done - length)
                    raise DataError(
                        f"a line is longer than {MAX_LINE_BYTES} bytes", where=Where(file=self.source.name, line=line)
                    )
                continue
            if end == len(block) and rest == [b""]:
                yield block
                del block  # the next one may take its memory
                continue
            yield b"".join([*rest, memoryview(block)[:end]])
            rest = [block[end:]]
        if last := b"".join(rest):
            yield last

    def _to_line_end(self, size: int) -> int:
        """Return about `size`, but to the end of a line where that can be seen: a whole chunk need not be copied."""
        if self._stream is not self._raw:
            return size
        ahead = self.source.at(self.consumed + size - 1, min(_AHEAD, MAX_LINE_BYTES))
        return size + max(0, ahead.find(b"\n"))

    def _line_at(self, place: int) -> int:
        """Return the line in which a byte of the text lies; the text is read once more for it."""
        line = 1
        with open_text(self.source, Meter(None, 0)) as text:
            while place > 0 and (block := text.read(min(place, _BLOCK))):
                line += block.count(b"\n")
                place -= len(block)
        return line

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield (line number from 1, bytes of the line without its line feed).

        Raises
        ------
        DataError
            Where the file is damaged or a line is longer than `MAX_LINE_BYTES`.
        """
        number, rest, first = 0, [b""], True
        while block := self.read(_BLOCK):
            if first:
                block, first = block.removeprefix(_BOM), False
            chunks = block.split(b"\n")
            if len(chunks) == 1:
                rest.append(block)
                if sum(map(len, rest)) > MAX_LINE_BYTES:
                    raise DataError(
                        f"a line is longer than {MAX_LINE_BYTES} bytes",
                        where=Where(file=self.source.name, line=number + 1),
                    )
                continue
            chunks[0] = b"".join(rest) + chunks[0]
            rest = [chunks.pop()]
            for line in chunks:
                number += 1
                yield number, line
        last = b"".join(rest)
        if last:
            yield number + 1, last


@contextlib.contextmanager
def open_text(source: Input, meter: Meter) -> Iterator[TextFile]:
    """Open a text file, uncompressing it as its first bytes demand."""
    with source.open() as raw, contextlib.ExitStack() as stack:
        head = source.at(0, 4)
        compression = compression_of(head)
        stream: Any = raw
        if compression is Compression.GZIP:
            stream = stack.enter_context(gzip.GzipFile(fileobj=raw, mode="rb"))
        elif compression is Compression.ZSTD:
            stream = stack.enter_context(pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd"))
        encoding = source.text.encoding or ("utf-16" if head.startswith(_UTF16) else None)
        if encoding is not None:
            stream = _Transcoded(stream, encoding)
        yield TextFile(source, raw, stream, meter, compressed=compression is not Compression.NONE)


class _Transcoded:
    """Text in another encoding, as UTF-8 bytes."""

    def __init__(self, stream: Any, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)()

    def read(self, size: int) -> bytes:
        """Return at least one character, unless the text is at its end."""
        while block := self._stream.read(size):
            if text := self._decoder.decode(block):
                return text.encode()
        return self._decoder.decode(b"", True).encode()


def decoded(data: bytes, where: Where) -> str:
    """Return the text of UTF-8 bytes, or raise a `DataError` that names the first bad byte."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"not UTF-8: byte 0x{data[error.start]:02x} at byte {error.start + 1} of the line",
            where=where,
            hint="say which encoding it is, such as --encoding cp1252 (Excel on Windows), or save it as UTF-8",
        ) from None
