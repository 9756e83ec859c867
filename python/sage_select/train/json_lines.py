"""Records of a run as JSON lines: written as things happen, and cut to what a checkpoint knows when the run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO, TypeVar

from sage_select.errors import DataError, Where
from sage_select.train.checkpoints import sync

__all__ = ["JsonLines", "read_json_lines"]

_T = TypeVar("_T")


class JsonLines:
    """A file to which lines are appended, each flushed as it is written. Until `open` the file is not touched.

    Parameters
    ----------
    path
        The file.
    written
        Whether it is: of several processes one writes.
    """

    def __init__(self, path: Path, *, written: bool = True) -> None:
        self._path = path
        self._written = written
        self._file: TextIO | None = None

    def open(self, kept: Iterable[Mapping[str, Any]]) -> None:
        """Put a file of the kept lines in the place of what is there, at once, and durably."""
        if not self._written:
            return
        # Beside the old one until the new one is whole: killed in between, the run can still go on.
        temporary = self._path.with_name(f".{self._path.name}")
        self._file = temporary.open("w", encoding="utf-8")
        try:
            for one in kept:
                self.write(one)
            self.sync()
            temporary.replace(self._path)
            sync(self._path.parent)
        except BaseException:
            self.close()
            raise

    def write(self, values: Mapping[str, Any]) -> None:
        """Append a line to the file, which must be open."""
        if not self._written:
            return
        file = self._opened()
        file.write(json.dumps(values, ensure_ascii=False) + "\n")
        file.flush()

    def sync(self) -> None:
        """Bring all lines to the disk, so that no checkpoint outlives them."""
        if self._written:
            os.fsync(self._opened().fileno())

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._file is not None:
            self._file.close()

    def _opened(self) -> TextIO:
        if self._file is None:
            raise RuntimeError("the record is not open")
        return self._file


def read_json_lines(path: Path, make: Callable[[Any], _T], what: str) -> Iterator[_T]:
    """Read a file line by line; a line torn by a crash ends it.

    Parameters
    ----------
    make
        Gives what a line holds; it raises ValueError, TypeError or AttributeError where the line is of another kind.
    what
        What the file is, for messages.

    Raises
    ------
    DataError
        A line is no such record.
    """
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith("\n"):
                return
            try:
                one = make(json.loads(line))
            except (ValueError, TypeError, AttributeError, RecursionError):
                raise DataError(
                    f"not a record of {what}",
                    where=Where(file=str(path), line=number),
                    hint="start the run again with --force",
                ) from None
            yield one
