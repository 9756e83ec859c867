"""Processes killed before each of their file operations, one forked child for each."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["killed_at_each_operation"]

#: What Python tells of before it does it; `os.fsync`, of which it does not tell, is counted besides.
_OPERATIONS = frozenset({"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.truncate"})


def killed_at_each_operation(
    work: Callable[[Path], None],
    folders: Iterator[Path],
    *,
    named: str = "",
    first: int = 1,
    step: int = 1,
    most: int = 1000,
) -> Iterator[Path]:
    """Do the work in a child for each of its file operations, which kills the child; yield the folders that are left.

    Parameters
    ----------
    work
        What is done in a folder.
    folders
        A folder for each child, all alike; those are counted that lie in it.
    named
        Operations count on what has this in its name.
    first, step
        The first operation that kills, and how many later the next is.
    most
        Operations there are at most.
    """
    for at in range(first, most, step):
        folder = next(folders)
        child = os.fork()
        if child == 0:
            _work_until(work, folder, named, at)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert status == 0, f"the work failed where nothing killed it: {status}"
            return
        assert os.WTERMSIG(status) == signal.SIGKILL
        yield folder
    raise AssertionError(f"more than {most} operations")


def _work_until(work: Callable[[Path], None], folder: Path, named: str, at: int) -> None:
    """Do the work until it is about to do an operation, and end."""
    left = at
    mine = os.getpid()

    def count(path: str) -> None:
        nonlocal left
        if path.startswith(str(folder)) and named in path:
            left -= 1
            if left == 0 and os.getpid() == mine:
                os.kill(mine, signal.SIGKILL)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in _OPERATIONS and arguments:
            count(str(arguments[0]))

    fsync = os.fsync

    def counted(descriptor: int) -> None:
        with suppress(OSError):  # where there is no /proc
            count(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    code = 1
    try:
        sys.addaudithook(hook)
        os.fsync = counted
        work(folder)
        code = 0
    finally:
        os._exit(code)
