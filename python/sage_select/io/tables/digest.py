"""Digests of files and of Arrow content: BLAKE2b with 256 bits.

A file's digest is what `b2sum -l 256 FILE` prints, so it can be checked without this program.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from sage_select.io.tables.batches import fixed_batches

__all__ = [
    "DIGEST_PREFIX",
    "combine_digests",
    "digest_bytes",
    "digest_files",
    "digest_table",
    "format_digest",
    "new_hash",
]

DIGEST_PREFIX = "blake2b-256:"


def new_hash() -> hashlib.blake2b:
    """Return the hash that all digests of files and tables use."""
    return hashlib.blake2b(digest_size=32)


def format_digest(digest: hashlib.blake2b) -> str:
    """Return the text form of a digest, as manifests hold it."""
    return DIGEST_PREFIX + digest.hexdigest()


def digest_bytes(data: bytes) -> str:
    """Return the digest of some bytes.

    Examples
    --------
    >>> digest_bytes(b"")[:24]
    'blake2b-256:0e5751c026e5'
    """
    return format_digest(hashlib.blake2b(data, digest_size=32))


def digest_files(paths: Iterable[Path]) -> str:
    """Return the digest of one file's bytes, or of the list of digests where there are several files."""
    digests = []
    for path in paths:
        with path.open("rb") as file:
            digests.append(DIGEST_PREFIX + hashlib.file_digest(file, new_hash).hexdigest())
    return combine_digests(digests)


def combine_digests(digests: Sequence[str]) -> str:
    """Return the digest of several files from the digest of each."""
    return digests[0] if len(digests) == 1 else digest_bytes("\n".join(digests).encode())


class _HashSink:
    """A file that is only hashed."""

    closed = False

    def __init__(self) -> None:
        self.hash = new_hash()

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing to release."""


def digest_table(table: pa.Table) -> str:
    """Return a digest of a table's content that does not depend on how the table is cut into chunks."""
    sink = _HashSink()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), table.schema) as writer:
        for batch in fixed_batches(table):
            writer.write_batch(batch)
    return format_digest(sink.hash)
