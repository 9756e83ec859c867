"""Large bytes in files that nobody else can name: mapped, they cost disk rather than memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

__all__ = ["MAPPED_BYTES", "mapped"]

#: From this size on bytes are put into such a file; fewer are held in memory.
MAPPED_BYTES: Final = 64 << 20
#: Large temporary files go here before they go to a folder that may lie in memory.
_DISK_FOLDER: Final = Path("/var/tmp")  # noqa: S108  (mkstemp makes the file with a name of its own, for us alone)


def mapped(blocks: Iterable[Any]) -> pa.Buffer | None:
    """Return bytes, written block by block, mapped from a file without a name; None where there is no room for it."""
    folder = _DISK_FOLDER if "TMPDIR" not in os.environ and os.access(_DISK_FOLDER, os.W_OK) else None
    try:
        target, name = tempfile.mkstemp(prefix="sage-select-", dir=folder)
    except OSError:
        return None
    try:
        written = 0
        for block in blocks:
            view = memoryview(block).cast("B")
            while view:
                count = os.write(target, view)
                view, written = view[count:], written + count
        return pa.memory_map(name).read_buffer() if written else None
    except OSError:
        return None
    finally:
        os.close(target)
        os.unlink(name)  # noqa: PTH108
