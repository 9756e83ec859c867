"""The folder in which values are held, and one producer's part of it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from sage_select.cache.holdings import FORMAT, IDENTITY, SUFFIX, TAG, TAG_FILE, TEMPORARY, entries
from sage_select.errors import DataError
from sage_select.io.commit.files import Files, HashedFile
from sage_select.io.commit.regular import read_regular
from sage_select.io.tables.digest import digest_bytes

__all__ = ["Cache", "Producer", "key_of"]

#: Bytes of an entry, at most: blocks of a few thousand rows are far smaller.
_LARGEST: Final = 1 << 31
#: Characters of a digest that tell entries apart.
_KEY: Final = 32
#: Seconds by which the clock of a file system may be behind that of programs.
_CLOCKS: Final = 1.0
#: Age from which on a temporary file is nobody's, in seconds: no block takes a day to be written.
_STALE: Final = 86_400


def key_of(value: Any) -> str:
    """Return 32 hex characters that name a plain value: the same for the same value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return _short(digest_bytes(text.encode()))


class Cache:
    """A folder of values that were computed before.

    What goes wrong with it is a notice, never an error: without it values are computed anew.

    Parameters
    ----------
    folder
        Where it lies; made with the first value, for its owner alone.
    most
        Bytes that it may hold: beyond that the values that were used longest ago go, but for those of this run.
    notice
        Told, once, that values cannot be held, and of each entry that was damaged.
    files
        The operations by which it is changed.
    """

    def __init__(self, folder: Path, most: int, notice: Callable[[str], None], files: Files | None = None) -> None:
        self.folder = folder
        self.files = files or Files()
        self._most = most
        self._notice = notice
        self._told = False
        self._began = time.time() - _CLOCKS
        self._held: int | None = None
        self._usable = self._trusted()

    def producer(self, identity: Mapping[str, Any]) -> Producer:
        """Return the part of a producer: all that its values depend on beside the rows, as plain values."""
        return Producer(self, identity)

    @property
    def usable(self) -> bool:
        """Whether anything is read from it or written to it."""
        return self._usable

    def refuse(self, why: str) -> None:
        """Use it no more, and say so once."""
        self._usable = False
        if not self._told:
            self._told = True
            self._notice(f"the cache {self.folder} is not used: {why}; --cache-dir or SAGE_CACHE_DIR names another")

    def damaged(self, path: Path) -> None:
        """Throw an entry away that is not what its name says."""
        self._notice(f"an entry of the cache was damaged and is computed anew: {path.name}")
        with contextlib.suppress(OSError):
            self.files.remove(path)

    def grown(self, size: int) -> None:
        """Make room where the cache has become larger than it may be."""
        known = self._held
        self._held = sum(one.size for one in entries(self.folder)) if known is None else known + size
        if self._held <= self._most:
            return
        for one in sorted(entries(self.folder), key=lambda one: (one.used, one.path)):
            if self._held <= self._most:
                break
            if one.used < self._began:
                with contextlib.suppress(OSError):
                    self.files.remove(one.path)
                    self._held -= one.size

    def make(self, folder: Path) -> None:
        """Make the folder of a producer, and those above it."""
        if folder.is_dir():
            return
        if not self.folder.is_dir():
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                self.folder.mkdir(mode=0o700)
        if not (self.folder / TAG_FILE).exists():
            _written(self.files, self.folder / TAG_FILE, TAG.encode())
        for parent in (self.folder / FORMAT, folder):
            with contextlib.suppress(FileExistsError):
                self.files.make_folder(parent)

    def _trusted(self) -> bool:
        """Tell whether what lies there was put there by its user, or nothing does."""
        try:
            status = self.folder.stat()
        except FileNotFoundError:
            return True
        except OSError as error:
            self.refuse(error.strerror or str(error))
            return False
        if not stat.S_ISDIR(status.st_mode):
            self.refuse("it is no folder")
        elif status.st_uid != os.geteuid():
            self.refuse("it belongs to another user")
        elif status.st_mode & stat.S_IWOTH:
            self.refuse("everybody may write there")
        return not self._told


class Producer:
    """The values of one producer: tables, one for each block of rows.

    Parameters
    ----------
    cache
        Where they lie.
    identity
        All that the values depend on beside the rows. Its `label` says for people what it is, and is no part of it.
    """

    def __init__(self, cache: Cache, identity: Mapping[str, Any]) -> None:
        self._cache = cache
        self._identity = dict(identity)
        name = key_of({key: value for key, value in identity.items() if key != "label"})
        self._folder = cache.folder / FORMAT / name
        self._paths: dict[str, Path] | None = None

    def get(self, key: str) -> pa.Table | None:
        """Return the table of a block, or None where it is not held, or damaged."""
        if not self._cache.usable or (path := self._held().get(key)) is None:
            return None
        try:
            data, _ = read_regular(path, _LARGEST, follow=False)
            if path.name != _name(key, digest_bytes(data)):
                raise DataError("is not what its name says")
            table = pa.ipc.open_file(pa.py_buffer(data)).read_all()
        except FileNotFoundError:  # another process made room
            return None
        except (OSError, DataError, pa.ArrowException):
            self._held().pop(key)
            self._cache.damaged(path)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return table

    def put(self, key: str, table: pa.Table) -> None:
        """Hold the table of a block: complete on the disk, or not at all."""
        if not self._cache.usable or key in self._held():
            return
        files = self._cache.files
        draft = self._folder / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}"
        try:
            self._cache.make(self._folder)
            self._describe()
            try:
                with contextlib.closing(HashedFile(files, draft)) as file:
                    with pa.ipc.new_file(pa.PythonFile(file, "w"), table.schema) as writer:
                        writer.write_table(table)
                    file.finish()
                path = self._folder / _name(key, file.digest)
                size = draft.stat().st_size
                files.rename(draft, path)
                files.sync_folder(self._folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    files.remove(draft)
                raise
        except OSError as error:
            self._cache.refuse(error.strerror or str(error))
            return
        self._held()[key] = path
        self._cache.grown(size)

    def _held(self) -> dict[str, Path]:
        """Return the entries by key; temporary files of writers that are long dead go."""
        if self._paths is None:
            self._paths = {}
            with contextlib.suppress(OSError):
                for path in sorted(self._folder.iterdir()):
                    if path.name.endswith(SUFFIX):
                        self._paths[path.name.partition(".")[0]] = path
                    elif path.name.startswith(TEMPORARY) and path.lstat().st_mtime < time.time() - _STALE:
                        self._cache.files.remove(path)
        return self._paths

    def _describe(self) -> None:
        """Say in the folder whose values these are, for `sage-select cache`."""
        path = self._folder / IDENTITY
        if not path.exists():
            text = json.dumps(self._identity, indent=1, sort_keys=True, ensure_ascii=False)
            _written(self._cache.files, path, f"{text}\n".encode())


def _written(files: Files, path: Path, data: bytes) -> None:
    """Write a small file, complete or not at all."""
    draft = path.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with contextlib.closing(HashedFile(files, draft)) as file:
            file.write(data)
            file.finish()
        files.rename(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            files.remove(draft)
        raise


def _name(key: str, digest: str) -> str:
    return f"{key}.{_short(digest)}{SUFFIX}"


def _short(digest: str) -> str:
    return digest.partition(":")[2][:_KEY]
