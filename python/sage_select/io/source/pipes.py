"""Pipes and standard input: written to a temporary file first, as readers need both ends of a file."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sage_select.errors import UsageError
from sage_select.paths import STREAM

__all__ = ["is_pipe", "spooled"]

_BLOCK: Final = 1 << 20
#: How long to wait for somebody who writes into a named pipe, in seconds.
_PATIENCE: Final = 10.0


def is_pipe(path: Path) -> bool:
    """Tell whether a path names a pipe, as `<(...)` of the shell does."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError:
        return False


@contextlib.contextmanager
def spooled(text: str) -> Iterator[tuple[Path, str]]:
    """Yield a file with all that a pipe, or standard input, gives, and its name for messages.

    Raises
    ------
    UsageError
        Where standard input is a terminal or closed, or nobody writes into the pipe.
    """
    with tempfile.TemporaryDirectory(prefix="sage-select-") as folder:
        copy = Path(folder) / "stream"
        with copy.open("xb") as file:
            for block in _blocks_of_stdin() if text == STREAM else _blocks_of_pipe(text):
                file.write(block)
        yield copy, "<stdin>" if text == STREAM else text


def _blocks_of_stdin() -> Iterator[bytes]:
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("standard input is closed", where=STREAM)
    if sys.stdin.isatty():
        raise UsageError("standard input is a terminal", where=STREAM, expected="rows from a pipe or a file")
    yield from iter(lambda: sys.stdin.buffer.read(_BLOCK), b"")


def _blocks_of_pipe(text: str) -> Iterator[bytes]:
    pipe = os.open(text, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        begun = False
        while True:
            ready = select.select([pipe], [], [], _PATIENCE)[0]
            try:
                block = os.read(pipe, _BLOCK)
            except BlockingIOError:
                begun = True  # somebody holds the other end, and has nothing to say yet
                continue
            if not block and not ready and not begun:
                raise UsageError("is a pipe that nobody writes into", where=text)
            if not block:
                return
            begun = True
            yield block
    finally:
        os.close(pipe)
