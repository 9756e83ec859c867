"""Small files beside others (manifests, commit records), read without trust in what lies under their names."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from sage_select.errors import DataError

__all__ = ["read_regular"]

_AT_ONCE: Final = 1 << 20


def read_regular(path: Path, most: int, *, follow: bool = True) -> tuple[bytes, os.stat_result]:
    """Return the bytes of a regular file and what the system says about it.

    Parameters
    ----------
    path
        The file; a pipe is not waited for.
    most
        The most bytes that such a file has.
    follow
        Whether `path` may be a link.

    Raises
    ------
    DataError
        Where it is no regular file, or a larger one.
    OSError
        Where it cannot be opened.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    handle = os.open(path, flags)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise DataError("is a folder, pipe or device, not a file", where=str(path))
        data = b""
        while len(data) <= most and (more := os.read(handle, min(most + 1 - len(data), _AT_ONCE))):
            data += more
    finally:
        os.close(handle)
    if len(data) > most:
        raise DataError("is too large", where=str(path), expected=f"at most {most:,} bytes")
    return data, status
