"""Commits that fail or are cut off, and what is there afterwards."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sage_select.errors import ResourceError
from sage_select.io import open_output, write
from sage_select.io.commit.files import Files
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.protocol import recover

__all__ = ["NAMES", "NEW", "OLD", "REPORT", "Dying", "Failing", "cut_off", "entries", "seen", "state"]

OLD = pa.table({"a": ["old"] * 5})
NEW = pa.table({"a": ["new"] * 9})
REPORT = pa.table({"id": ["1"]})
OPERATIONS = [name for name in vars(Files) if not name.startswith("_")]
NAMES = ["out.arrow", "out.parquet", "out.jsonl.gz", "out"]


class Failing(Files):
    """Real file operations of which the n-th fails; with `forever`, so do all after it."""

    def __init__(self, fail_at: int, *, forever: bool = False, short: bool = False) -> None:
        self.count = 0
        self.fail_at = fail_at
        self.forever = forever
        self.short = short
        self.failed: str | None = None

    def about_to(self, operation: str) -> None:
        self.count += 1
        if self.count == self.fail_at or (self.forever and self.count > self.fail_at):
            self.failed = self.failed or operation
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _counted(name: str) -> Callable[..., Any]:
    original = getattr(Files, name)

    def operation(self: Failing, *arguments: Any) -> Any:
        if name == "write" and self.short:
            file, data = arguments
            arguments = (file, data[: max(1, len(data) // 2)])
        try:
            self.about_to(name)
        except OSError:
            if name == "write":  # half of it may have gone out
                original(self, arguments[0], arguments[1][: len(arguments[1]) // 2])
            raise
        return original(self, *arguments)

    return operation


for _name in OPERATIONS:
    setattr(Failing, _name, _counted(_name))


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def state(path: Path) -> str:
    """Tell what is there once the next writer has come, checked through and through."""
    recover(path)
    rows, manifest = open_output(path)
    assert manifest is not None
    which = manifest["which"]
    assert rows.table.equals({"old": OLD, "new": NEW}[which])
    assert OutputNames(path).row_report.exists() == (which == "old")
    assert manifest["output"]["rows"] == rows.table.num_rows
    return str(which)


class Dying(Files):
    """Stops at the first rename after the record is in place, as a killed process does."""

    def __init__(self) -> None:
        self.recorded = False

    def rename(self, old: Path, new: Path) -> None:
        if self.recorded:
            raise OSError(errno.EIO, "Input/output error")
        self.recorded = new.name.endswith(".commit")
        old.replace(new)


def cut_off(path: Path) -> None:
    write(OLD, path, {"which": "old"}, row_report=REPORT)
    with pytest.raises(ResourceError):
        write(NEW, path, {"which": "new"}, force=True, files=Dying())
    assert OutputNames(path).record.exists()


def seen(folder: Path) -> dict[str, object]:
    """Return what lies in a folder, through and through."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}
