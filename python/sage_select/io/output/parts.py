"""Parts of an output under their temporary names: written, read back, and swept where writing fails."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from sage_select.errors import ResourceError, SageError
from sage_select.io.commit.files import Files, HashedFile
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.protocol import sweep
from sage_select.io.tables.digest import digest_files

__all__ = ["swept_on_failure", "verify_bytes", "write_bytes"]


def write_bytes(data: bytes, path: Path, files: Files) -> str:
    """Write a file, bring it to the disk, read it back and return its digest.

    Raises
    ------
    ResourceError
        Where the disk gives back other bytes.
    """
    file = HashedFile(files, path)
    with contextlib.closing(file):
        file.write(data)
        file.finish()
    verify_bytes([(path, file.digest)])
    return file.digest


def verify_bytes(written: Sequence[tuple[Path, str]]) -> None:
    """Check that each file holds the bytes that went into it.

    Raises
    ------
    ResourceError
        Where it does not.
    """
    for path, digest in written:
        if digest_files([path]) != digest:
            raise ResourceError("the disk gave back other bytes than were written", where=str(path))


@contextlib.contextmanager
def swept_on_failure(names: OutputNames, files: Files) -> Iterator[None]:
    """Remove the temporaries of an output where the block fails; the caller holds the lock."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError, SageError):
            sweep(names, files)
        raise
