"""Panics of Rust libraries, as errors: what they raise is no `Exception`, and they write on standard error first."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from sage_select.errors import SageError, is_panic

__all__ = ["panics_refused"]

_STANDARD_ERROR: Final = 2
#: The line that begins what a panic writes, and those that may end it; what it says stands between.
_BEGINS: Final = rb"\n?thread '[^\n]*' (?:\(\d+\) )?panicked at [^\n]*\n"
_ENDS: Final = rb"(?:stack backtrace:\n(?: +[^\n]*\n)*)?(?:note: [^\n]*`RUST_BACKTRACE=[^\n]*\n)?"
#: Descriptor 2 is the process's: one block at a time holds it.
_lock = threading.RLock()


@contextmanager
def panics_refused(error: Callable[[str], SageError], *, silently: bool = True) -> Iterator[None]:
    """Raise `error(words of the panic)` where a library panics inside the block; anything else passes.

    Parameters
    ----------
    error
        What is wrong, said with the first line of the panic.
    silently
        For short work: what is written on the standard error meanwhile, by whichever thread, is written when the block
        ends, without what the panic itself wrote. With SAGE_DEBUG in the environment nothing is held back.

    Examples
    --------
    >>> with panics_refused(SageError):
    ...     print("all is well")
    all is well
    """
    with _lock:
        held = _hold() if silently else None
        said = None
        try:
            yield
        except BaseException as raised:
            if not is_panic(raised):
                raise
            said = str(raised)
            raise error(said.partition("\n")[0]) from None
        finally:
            if held is not None:
                _release(*held, said)


def _hold() -> tuple[int, int] | None:
    """Put memory in the place of the standard error; return what it was, and the memory, or None where it cannot be."""
    if os.environ.get("SAGE_DEBUG") or not hasattr(os, "memfd_create"):
        return None
    try:
        before = os.dup(_STANDARD_ERROR)
    except OSError:
        return None
    try:
        memory = os.memfd_create("standard error")
    except OSError:
        os.close(before)
        return None
    _flush()
    os.dup2(memory, _STANDARD_ERROR)
    return before, memory


def _release(before: int, memory: int, said: str | None) -> None:
    """Put the standard error back and write what was held, but for what a panic that `said` something wrote."""
    _flush()
    os.dup2(before, _STANDARD_ERROR)
    os.close(before)
    text = os.pread(memory, os.fstat(memory).st_size, 0)
    os.close(memory)
    if said is not None:
        message = re.escape(said.encode(errors="surrogateescape"))
        text = re.sub(_BEGINS + message + rb"\n?" + _ENDS, b"", text)
    with suppress(OSError):
        while text:
            text = text[os.write(_STANDARD_ERROR, text) :]


def _flush() -> None:
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
