"""What every kernel call shares: the thread count, numbers, and errors mapped to ours."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from sage_select._native import KernelError
from sage_select.errors import DataError, ResourceError, SageError, UsageError, Where

__all__ = ["MAX_THREADS", "Progress", "as_float", "as_int", "map_errors", "resolve_threads"]

Progress = Callable[[int, int], object]

#: More threads than this are a mistake, not a machine.
MAX_THREADS: Final = 1024

_DATA: Final = frozenset(
    {
        "bad_neighbour",
        "negative",
        "negative_cell",
        "not_finite",
        "not_positive",
        "null",
        "too_large",
        "type",
        "weight_range",
        "zero_row",
    }
)
_RESOURCE: Final = frozenset({"out_of_memory", "threads", "too_many_rows"})


@contextmanager
def map_errors(name: str | None = None) -> Iterator[None]:
    """Raise what a kernel refuses as an error of ours; `name` is what the user calls the input."""
    try:
        yield
    except KernelError as refused:
        # An option out of range says nothing about the input.
        about_input = refused.row is not None or refused.kind in _DATA
        where = Where(file=name, row=refused.row) if about_input else None
        kind: type[SageError] = UsageError
        if refused.kind in _DATA:
            kind = DataError
        elif refused.kind in _RESOURCE:
            kind = ResourceError
        raise kind(refused.message, where=where) from None


def as_int(value: Any, name: str, *, minimum: int = 0, maximum: int = 2**63 - 1) -> int:
    """Return a whole number within its range, or raise `UsageError`."""
    integral = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
    if not integral or not minimum <= value <= maximum:
        expected = f"a whole number from {minimum} to {maximum}"
        raise UsageError(f"{name} is out of range", expected=expected, got=repr(value))
    return int(value)


def as_float(value: Any, name: str) -> float:
    """Return a number as a float, or raise `UsageError`."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise UsageError(f"{name} must be a number", got=repr(value))
    return float(value)


def resolve_threads(threads: int | None) -> int:
    """Return the number of threads to use: `threads`, else ``SAGE_THREADS``, else all cores of the process."""
    if threads is not None:
        return as_int(threads, "threads", minimum=1, maximum=MAX_THREADS)
    named = os.environ.get("SAGE_THREADS", "").strip()
    if not named:
        return min(MAX_THREADS, _cores())
    if not (named.isascii() and named.isdigit()):
        raise UsageError("SAGE_THREADS is out of range", expected="a whole number from 1", got=repr(named))
    return as_int(int(named), "SAGE_THREADS", minimum=1, maximum=MAX_THREADS)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
