"""What a file is, told from its first bytes; the name decides only between kinds of text."""

from __future__ import annotations

import csv
import enum
import io
from itertools import islice
from pathlib import PurePath

__all__ = ["Compression", "Format", "compression_of", "format_of", "text_format_of"]

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ARROW_FILE = b"ARROW1"
_ARROW_STREAM = b"\xff\xff\xff\xff"
_PARQUET = b"PAR1"
_PARQUET_ENCRYPTED = b"PARE"
_BOM = b"\xef\xbb\xbf"

_TEXT_SUFFIXES = {
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
}
#: What may tell CSV where its name does not, most telling first.
_DELIMITERS = (",", ";", "\t")
_COMPRESSION_SUFFIXES = {".gz", ".gzip", ".zst", ".zstd"}


class Format(enum.Enum):
    """The formats that can be read."""

    JSONL = "JSON lines"
    JSON_ARRAY = "a JSON array"
    CSV = "CSV"
    TSV = "tab-separated values"
    PARQUET = "Parquet"
    ARROW_FILE = "an Arrow IPC file"
    ARROW_STREAM = "an Arrow IPC stream"
    HF_FOLDER = "a Hugging Face dataset folder"


class Compression(enum.Enum):
    """How the bytes of a text file are packed."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


def compression_of(head: bytes) -> Compression:
    r"""Return how a file that begins with `head` is compressed.

    Examples
    --------
    >>> compression_of(b"\x1f\x8b\x08")
    <Compression.GZIP: 'gzip'>
    """
    if head.startswith(_GZIP):
        return Compression.GZIP
    return Compression.ZSTD if head.startswith(_ZSTD) else Compression.NONE


def format_of(head: bytes) -> Format | None:
    """Return the binary format of a file that begins with `head`, or None for text."""
    if head.startswith(_ARROW_FILE):
        return Format.ARROW_FILE
    if head.startswith(_ARROW_STREAM):
        return Format.ARROW_STREAM
    return Format.PARQUET if head.startswith((_PARQUET, _PARQUET_ENCRYPTED)) else None


def text_format_of(head: bytes, name: str, *, cut: bool = False) -> Format | None:
    r"""Return the format of a text whose uncompressed beginning is `head`, or None where it is no known one.

    The name's suffix chooses between JSON and CSV. Without a known suffix the first character does, and it is CSV only
    where the first row has as many values as the header; `cut` says that the text goes on after `head`.

    Examples
    --------
    >>> text_format_of(b'{"a": 1}', "rows")
    <Format.JSONL: 'JSON lines'>
    >>> text_format_of(b"a,b", "rows.data")
    <Format.CSV: 'CSV'>
    >>> text_format_of(b"if a, then b\nc\n", "notes.txt") is None
    True
    """
    start = head.removeprefix(_BOM).lstrip(b" \t\r\n")
    family = _TEXT_SUFFIXES.get(_suffix(name))
    if family == "csv":
        return Format.CSV
    if family == "tsv":
        return Format.TSV
    if start.startswith(b"["):
        return Format.JSON_ARRAY
    if family == "json" or start.startswith(b"{"):
        return Format.JSONL
    first_line = start.split(b"\n", 1)[0]
    if b"\x00" in first_line:
        return None
    delimiter = next((mark for mark in _DELIMITERS if mark.encode() in first_line), None)
    if delimiter is None or not _is_table(start, delimiter, cut=cut):
        return None
    return Format.TSV if delimiter == "\t" else Format.CSV


def _is_table(text: bytes, delimiter: str, *, cut: bool) -> bool:
    """Tell whether the first two records of a text, which may be cut at its end, have as many values."""
    lines = io.StringIO(text.decode("utf-8", "replace"), newline="")
    records = (record for record in csv.reader(lines, delimiter=delimiter) if record)
    try:
        header, row = [*islice(records, 2), [], []][:2]
        ended = next(records, None) is not None or not cut
    except csv.Error:
        return True  # the reader of CSV tells where
    return not row or len(row) == len(header) or (not ended and len(row) < len(header))


def _suffix(name: str) -> str:
    path = PurePath(name)
    suffix = path.suffix.lower()
    return PurePath(path.stem).suffix.lower() if suffix in _COMPRESSION_SUFFIXES else suffix
