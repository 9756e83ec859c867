"""What a file is, told from its first bytes; the name decides only between kinds of text."""

from __future__ import annotations

import enum
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


def text_format_of(head: bytes, name: str) -> Format | None:
    """Return the format of a text whose uncompressed beginning is `head`, or None where it is no known one.

    The name's suffix chooses between JSON and CSV; without a known suffix the first character does.

    Examples
    --------
    >>> text_format_of(b'{"a": 1}', "rows")
    <Format.JSONL: 'JSON lines'>
    >>> text_format_of(b"a,b", "rows.data")
    <Format.CSV: 'CSV'>
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
    if b"," in first_line or b";" in first_line:
        return Format.CSV
    return Format.TSV if b"\t" in first_line else None


def _suffix(name: str) -> str:
    path = PurePath(name)
    suffix = path.suffix.lower()
    return PurePath(path.stem).suffix.lower() if suffix in _COMPRESSION_SUFFIXES else suffix
