"""A file that is held open, so that it can be read after its name is gone."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

__all__ = ["HeldFile"]

#: Bytes that one call reads at most, below what a system allows.
_MOST: Final = 1 << 30


class HeldFile:
    """A file that was opened once and is read whenever somebody asks, from any process that was forked meanwhile.

    Closed when nobody refers to it any more.

    Raises
    ------
    OSError
        It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._handle = -1
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> bytes:
        """Return all of it."""
        parts, done, size = [], 0, os.fstat(self._handle).st_size
        # By place: the position of a file is shared by forked processes.
        while done < size and (part := os.pread(self._handle, min(size - done, _MOST), done)):
            parts.append(part)
            done += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def __del__(self) -> None:
        if self._handle >= 0:
            with contextlib.suppress(OSError):
                os.close(self._handle)
