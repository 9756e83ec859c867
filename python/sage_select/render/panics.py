"""Panics of Rust libraries, as errors: what they raise is no `Exception` and would end the program in a traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sage_select.errors import SageError

__all__ = ["panics_refused"]


@contextmanager
def panics_refused(error: Callable[[str], SageError]) -> Iterator[None]:
    """Raise `error(words of the panic)` where a library panics inside the block; anything else passes.

    Examples
    --------
    >>> with panics_refused(SageError):
    ...     print("all is well")
    all is well
    """
    try:
        yield
    except BaseException as raised:
        if not is_panic(raised):
            raise
        raise error(str(raised).partition("\n")[0]) from None


def is_panic(raised: BaseException) -> bool:
    """Say whether an exception is a panic; each Rust library has a class of its own by this name."""
    return type(raised).__name__ == "PanicException"
