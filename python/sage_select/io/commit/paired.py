"""Reading beside a writer: the rows and the manifest that are read belong together, or they are read again.

A reader takes no lock, completes no commit and removes nothing, so that no writer ever waits for it. It reads the
manifest first and knows the rows by the digest in it. Where they do not belong together although nobody has damaged
them, a commit is under way or has just been: the manifest is another one now, or the record of a commit lies there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from sage_select.errors import DataError, SageError
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.record import read_record
from sage_select.io.source.named import cannot_open

__all__ = ["Watch", "settled"]

_T = TypeVar("_T")
#: How often to read again, and how often in between to see whether a commit is done, at intervals of so many seconds.
_ATTEMPTS: Final = 25
_CHECKS: Final = 200
_INTERVAL: Final = 0.02


class Watch:
    """What lies beside the files that are being read."""

    def __init__(self) -> None:
        self._stamps: dict[Path, tuple[int, int, int] | None] = {}
        #: Set where something was read that no digest proves to belong to its manifest.
        self.unproven = False

    def add(self, path: Path) -> None:
        """Watch a file or folder from now on; before its manifest is read."""
        self._stamps.setdefault(path, _stamp(path))

    def disturbed(self) -> bool:
        """Tell whether a commit of one of them is under way, or has been since it is watched."""
        return any(_under_way(path) or _stamp(path) != stamp for path, stamp in self._stamps.items())

    def wait(self) -> None:
        """Wait until no commit is under way, as long as a live writer may take for it.

        Raises
        ------
        DataError
            Where one is not completed.
        """
        for path in self._stamps:
            for _ in range(_CHECKS):
                if not _under_way(path):
                    break
                time.sleep(_INTERVAL)
            else:
                raise DataError(
                    "is half replaced: the run that was writing it was cut off",
                    where=str(path),
                    hint="repeat that run, which completes it",
                )


def settled(path: Path, read: Callable[[Watch], _T]) -> _T:
    """Return what `read` returns or raises once no writer has come between.

    Parameters
    ----------
    path
        What is read, for messages.
    read
        Reads once. It has the watch watch each file before it reads its manifest.

    Raises
    ------
    DataError
        Where a commit was cut off, or the output is replaced again and again.
    """
    for _ in range(_ATTEMPTS):
        watch = Watch()
        watch.add(path)
        failure: SageError | None = None
        try:
            result = read(watch)
        except SageError as error:
            failure = error
        except OSError as error:  # a folder that was replaced while it was read
            failure = cannot_open(Path(error.filename or path), error)
        if failure is None and not (watch.unproven and watch.disturbed()):
            return result
        if failure is not None and not watch.disturbed():
            raise failure
        watch.wait()
    raise DataError(
        "is replaced again and again while it is read", where=str(path), hint="read it when nobody is writing it"
    )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = OutputNames(path).manifest.stat()
    except (OSError, ValueError):
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _under_way(path: Path) -> bool:
    """Tell whether a commit is under way; a record that is none of ours is none."""
    try:
        return read_record(OutputNames(path), own=False) is not None
    except (SageError, OSError, ValueError):
        return False
