"""The doors to standard output and error: what is shown cannot steer a terminal, what is not written is told."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sage_select.display import displayed
from sage_select.errors import ResourceError

__all__ = ["ReaderLeft", "emit", "emit_file", "open_standard_streams", "say"]


class ReaderLeft(Exception):  # noqa: N818  (no error: `| head` has what it wants)
    """Whoever read standard output reads no more."""


def open_standard_streams() -> None:
    """Put the null device where a standard stream is closed, so that no file of the run takes its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one.
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)


def emit(text: str, *, hint: str | None = None) -> None:
    """Write a result on standard output, all of it, now.

    Parameters
    ----------
    text
        The result; other characters than line breaks are escaped where the stream cannot spell them.
    hint
        What the user should know if it cannot be written.

    Raises
    ------
    ReaderLeft
        Where the reader of a pipe has gone.
    ResourceError
        Where standard output is closed or full.
    """
    with _output(hint) as stream:
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def emit_file(path: Path) -> None:
    """Write the bytes of a file on standard output, all of them, now.

    Raises
    ------
    ReaderLeft, ResourceError
        As `emit`.
    """
    with path.open("rb") as file, _output() as stream:
        shutil.copyfileobj(file, stream.buffer)


@contextmanager
def _output(hint: str | None = None) -> Iterator[TextIO]:
    """Yield standard output, which is flushed in the end; what cannot be written is an error of `emit`."""
    stream = sys.stdout
    if stream is None:  # closed before the program began
        raise ResourceError("standard output is closed", hint=hint)
    try:
        yield stream
        stream.flush()
    except BrokenPipeError:
        _discard_output()
        raise ReaderLeft from None
    except (OSError, ValueError) as error:
        _discard_output()
        got = getattr(error, "strerror", None) or str(error)
        raise ResourceError("cannot write to standard output", got=got, hint=hint) from None


def _discard_output() -> None:
    """Send what is still buffered to the null device: Python would try again, and complain, as it leaves."""
    try:
        number = sys.stdout.fileno()
    except (AttributeError, ValueError, io.UnsupportedOperation):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)


def say(*lines: object) -> None:
    """Print lines on standard error; where nobody can hear them the run goes on.

    Line breaks and control characters within a line are escaped, and URLs lose their credentials: nothing in a file, a
    name or a spec can forge a line, or steer the terminal.
    """
    if sys.stderr is None:
        return
    try:
        for line in lines:
            sys.stderr.write(displayed(line) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.stderr = None
