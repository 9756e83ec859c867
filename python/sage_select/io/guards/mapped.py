"""Large bytes in files that nobody else can name: mapped, they cost disk rather than memory."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

__all__ = ["MAPPED_BYTES", "mapped", "mapped_batches", "mapped_table"]

#: From this size on bytes are put into such a file; fewer are held in memory.
MAPPED_BYTES: Final = 64 << 20
#: Large temporary files go here before they go to a folder that may lie in memory.
_DISK_FOLDER: Final = Path("/var/tmp")  # noqa: S108  (mkstemp makes the file with a name of its own, for us alone)


def mapped(blocks: Iterable[Any]) -> pa.Buffer | None:
    """Return bytes, written block by block, mapped from a file without a name; None where there is no room for it."""
    with contextlib.suppress(OSError), _unnamed() as (target, name):
        written = 0
        for block in blocks:
            view = memoryview(block).cast("B")
            while view:
                count = os.write(target, view)
                view, written = view[count:], written + count
        return pa.memory_map(name).read_buffer() if written else None
    return None


def mapped_table(table: pa.Table) -> pa.Table | None:
    """Return the same table, in the same batches, mapped from such a file; None where there is no room for it."""
    return mapped_batches(table.schema, table.to_batches())


def mapped_batches(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> pa.Table | None:
    """Return the table of batches, each written as it comes, mapped from such a file; None where there is no room."""
    with contextlib.suppress(OSError), _unnamed() as (_, name):
        with pa.OSFile(name, "wb") as file, pa.ipc.new_file(file, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return pa.ipc.open_file(pa.memory_map(name)).read_all()
    return None


@contextlib.contextmanager
def _unnamed() -> Iterator[tuple[int, str]]:
    """Make a temporary file, whose name goes at the end; it lives on while it is mapped."""
    folder = _DISK_FOLDER if "TMPDIR" not in os.environ and os.access(_DISK_FOLDER, os.W_OK) else None
    target, name = tempfile.mkstemp(prefix="sage-select-", dir=folder)
    try:
        yield target, name
    finally:
        os.close(target)
        os.unlink(name)  # noqa: PTH108
