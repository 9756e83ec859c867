"""An input file that is opened once: rows and digest come from the same bytes, whatever happens to its name."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from sage_select.errors import DataError, ResourceError, SageError, UsageError
from sage_select.io.guards.mapped import MAPPED_BYTES, mapped
from sage_select.io.tables.digest import format_digest, new_hash

__all__ = ["MAPPED_BYTES", "Input", "TextOptions", "digests_beside"]

_BLOCK: Final = 1 << 20
#: Bytes of a file whose digest takes longer than to start a thread for it.
_WORTH_A_THREAD: Final = 4 << 20


@dataclass(frozen=True)
class TextOptions:
    """How text files are read, where the user says so.

    Parameters
    ----------
    encoding
        The encoding of their characters; None for UTF-8, or UTF-16 where a byte order mark says so.
    delimiter
        What stands between the values of CSV; None for what the header has: a comma, a semicolon, a tab or a bar.
    """

    encoding: str | None = None
    delimiter: str | None = None


class Input:
    """A file or folder to read, and its name for messages.

    It is opened at its first use and stays open, so that a file which takes its name meanwhile is not read in its
    stead; after `release`, the next use opens the name again and refuses another file, or one that was changed.

    Parameters
    ----------
    path
        Where it lies.
    name
        What messages call it.
    hold
        Whether `release` leaves it open.
    text
        How it is read where it is text.
    """

    def __init__(self, path: Path, name: str, *, hold: bool = True, text: TextOptions | None = None) -> None:
        self.path = path
        self.name = name
        self.hold = hold
        self.text = text or TextOptions()
        self._file: int | None = None
        self._state: tuple[int, ...] | None = None
        self._members: dict[str, Input] = {}
        self._digest: Future[str] | None = None

    def __del__(self) -> None:
        self.close()

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.path.is_dir()

    @property
    def size(self) -> int:
        """Bytes of the file when it was opened; 0 for a folder."""
        if self._file is None and self.is_folder:
            return 0
        self._handle()
        return self._state[2] if self._state is not None else 0

    @property
    def is_mapped(self) -> bool:
        """Whether `buffer` returns a mapped copy, where there is room for one."""
        return self.size >= MAPPED_BYTES

    def member(self, name: str) -> Input:
        """Return a file of this folder, always the same opened one."""
        if name not in self._members:
            self._members[name] = Input(self.path / name, os.path.join(self.name, name), hold=self.hold)  # noqa: PTH118
        return self._members[name]

    def at(self, place: int, count: int) -> bytes:
        """Return `count` bytes from `place` on, fewer where the file ends."""
        data = os.pread(self._handle(), count, place)
        while len(data) < count and (more := os.pread(self._handle(), count - len(data), place + len(data))):
            data += more
        return data

    def open(self) -> io.RawIOBase:
        """Return a reader with a place of its own."""
        return _Reader(self)

    def buffer(self) -> pa.Buffer:
        """Return all bytes in memory that nobody else can change or cut.

        A mapped file that its owner cuts takes the process with it (SIGBUS): large files are copied to an unnamed
        temporary file first, which is mapped, so that they cost disk rather than memory.
        """
        if self.is_mapped and (copy := mapped(self._blocks())) is not None:
            return copy
        return pa.py_buffer(self.at(0, self.size))

    def digest(self) -> str:
        """Return the digest of the file's bytes.

        Raises
        ------
        DataError
            Where the file was changed since it was opened.
        """
        digest = self._digest_of_blocks(lambda: True) if self._digest is None else self._digest.result()
        self.check_unchanged()
        return digest

    def _digest_of_blocks(self, wanted: Callable[[], bool]) -> str:
        digest = new_hash()
        for block in self._blocks():
            if not wanted():
                break
            digest.update(block)
        return format_digest(digest)

    def check_unchanged(self) -> None:
        """Raise a `DataError` where the file, or one of the folder's that were used, changed since it was opened."""
        for member in self._members.values():
            member.check_unchanged()
        if self._file is not None and _state(os.fstat(self._file)) != self._state:
            raise self._changed()

    def release(self) -> None:
        """Close the file, unless it is to be held, but know it again."""
        for member in self._members.values():
            member.release()
        if not self.hold:
            self.close()

    def close(self) -> None:
        """Close the file, and those of the folder that were used."""
        for member in self._members.values():
            member.close()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _handle(self) -> int:
        if self._file is None:
            self._file = self._opened()
            found = _state(os.fstat(self._file))
            if self._state is not None and found != self._state:
                raise self._changed()
            self._state = found
        return self._file

    def _opened(self) -> int:
        try:
            # A pipe that has taken the file's place must not make us wait.
            file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise _not_opened(self.name, error) from None
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise UsageError("is no regular file", where=self.name)
        return file

    def _changed(self) -> DataError:
        return DataError("changed while it was read", where=self.name, hint="read it again when its writer is done")

    def _blocks(self) -> Iterator[bytes]:
        place = 0
        while block := self.at(place, _BLOCK):
            yield block
            place += len(block)


@contextlib.contextmanager
def digests_beside(inputs: Sequence[Input]) -> Iterator[None]:
    """Compute the digests of files in a thread while they are read: hashing leaves the interpreter to others.

    Small files, and those that `Input.release` closes, get theirs when it is asked for; so do those whose digest nobody
    asked for until the end.
    """
    wanted = True
    with ThreadPoolExecutor(1) as thread:
        large = [file for file in inputs if file.hold and not file.is_folder and file.size >= _WORTH_A_THREAD]
        for file in large:
            file._digest = thread.submit(file._digest_of_blocks, lambda: wanted)
        try:
            yield
        finally:
            wanted = False
            for file in large:
                file._digest = None


def _not_opened(name: str, error: OSError) -> SageError:
    """Return the error for a file that the system would not open."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return UsageError("no such file", where=name)
    if isinstance(error, PermissionError):
        return ResourceError("may not be read: permission denied", where=name)
    return ResourceError(f"cannot be read: {error.strerror or error}", where=name)


def _state(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


class _Reader(io.RawIOBase):
    """A file object over an `Input`."""

    def __init__(self, source: Input) -> None:
        self._source = source
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._source.size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def read(self, size: int = -1) -> bytes:
        rest = max(0, self._source.size - self._place)
        data = self._source.at(self._place, rest if size < 0 else min(size, rest))
        self._place += len(data)
        return data

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)
