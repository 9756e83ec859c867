"""The file operations that a commit consists of, one method each, so that every one can be made to fail."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

from sage_select.io.tables.digest import format_digest, new_hash

__all__ = ["Files", "HashedFile"]


class Files:
    """Operations on the file system that change it. A test replaces them one by one."""

    def create(self, path: Path) -> BinaryIO:
        """Create a file that nobody else has, following no link, and open it for writing."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.fdopen(os.open(path, flags, 0o666), "wb", buffering=0)

    def write(self, file: BinaryIO, data: bytes | memoryview) -> int:
        """Write some of `data` and return how many bytes went out."""
        return file.write(data)

    def sync(self, file: BinaryIO) -> None:
        """Wait until a file's bytes are on the disk."""
        os.fsync(file.fileno())

    def sync_folder(self, path: Path) -> None:
        """Wait until a folder's entries are on the disk."""
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def make_folder(self, path: Path) -> None:
        """Create a folder."""
        path.mkdir()

    def rename(self, old: Path, new: Path) -> None:
        """Give a file its name, replacing a file that has it."""
        old.replace(new)

    def remove(self, path: Path) -> None:
        """Remove a file or a link."""
        path.unlink(missing_ok=True)

    def remove_folder(self, path: Path) -> None:
        """Remove an empty folder."""
        path.rmdir()


class HashedFile:
    """A new file that is written through `Files` and hashed on its way, for writers that want a file object."""

    def __init__(self, files: Files, path: Path) -> None:
        self._files = files
        self._file = files.create(path)
        self._hash = new_hash()
        self._position = 0

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._file.closed

    @property
    def digest(self) -> str:
        """The digest of what was written."""
        return format_digest(self._hash)

    def write(self, data: Any) -> int:
        """Write all of `data`."""
        view = memoryview(data).cast("B")
        self._hash.update(view)
        done = 0
        while done < len(view):
            done += self._files.write(self._file, view[done:])
        self._position += len(view)
        return len(view)

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self._position

    def flush(self) -> None:
        """Nothing is held back."""

    def readable(self) -> bool:
        """Whether it can be read: no."""
        return False

    def writable(self) -> bool:
        """Whether it can be written: yes."""
        return True

    def seekable(self) -> bool:
        """Whether it can be rewound: no."""
        return False

    def finish(self) -> None:
        """Bring the bytes to the disk and close the file."""
        self._files.sync(self._file)
        self._file.close()

    def close(self) -> None:
        """Close the file without waiting for the disk."""
        self._file.close()
