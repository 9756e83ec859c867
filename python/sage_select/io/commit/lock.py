"""One writer at a time: an operating system lock, which a dead process frees by dying."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from sage_select.errors import SageError

__all__ = ["locked"]


@contextlib.contextmanager
def locked(file: Path, *, busy: SageError, wait: bool = False) -> Iterator[None]:
    """Hold a lock.

    Parameters
    ----------
    file
        The file that carries it; it is there only while the lock is held, or after its holder was killed.
    busy
        What to raise where another process holds it and `wait` is false.
    wait
        Whether to wait for another holder.

    Raises
    ------
    OSError
        Where the folder cannot be written.
    """
    handle = _acquire(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), busy)
    try:
        yield
    finally:
        # Removed while held: whoever waits for this very file finds it gone and makes a new one.
        with contextlib.suppress(OSError):
            file.unlink()
        os.close(handle)


def _acquire(file: Path, how: int, busy: SageError) -> int:
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
        try:
            fcntl.flock(handle, how)
            if _is_current(file, handle):
                return handle
        except BlockingIOError:
            os.close(handle)
            raise busy from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_current(file: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), file.lstat())
    except FileNotFoundError:
        return False
