"""One writer at a time: an operating system lock, which a dead process frees by dying."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from sage_select.errors import OutputError
from sage_select.io.names import OutputNames

__all__ = ["locked"]


@contextlib.contextmanager
def locked(names: OutputNames, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock of an output.

    Parameters
    ----------
    names
        The output.
    wait
        Whether to wait for another holder; a writer holds it as long as it writes.

    Raises
    ------
    OutputError
        Where another process holds it and `wait` is false.
    OSError
        Where the folder cannot be written.
    """
    handle = _acquire(names, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    try:
        yield
    finally:
        # Removed while held: whoever waits for this very file finds it gone and makes a new one.
        with contextlib.suppress(OSError):
            names.lock.unlink()
        os.close(handle)


def _acquire(names: OutputNames, how: int) -> int:
    while True:
        handle = os.open(names.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, how)
            if _is_current(names, handle):
                return handle
        except BlockingIOError:
            os.close(handle)
            raise OutputError(
                "another run is writing it", where=str(names.target), hint="wait for it, or give -o"
            ) from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_current(names: OutputNames, handle: int) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), names.lock.lstat())
    except FileNotFoundError:
        return False
