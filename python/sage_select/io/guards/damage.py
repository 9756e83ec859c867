"""What damaged or hostile bytes may do: raise a `DataError`, and nothing else."""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from sage_select.errors import DataError, ResourceError
from sage_select.io.guards.memory import limits

__all__ = ["MAX_RATIO", "RATIO_FREE_BYTES", "damage_errors", "refuse_expansion"]

#: Packed input may grow to this size whatever its ratio ...
RATIO_FREE_BYTES: Final = 1 << 30
#: ... and beyond it to this many times its packed size; real rows reach 5 to 20.
MAX_RATIO: Final = 500
#: From this size on it is compared with the memory that there is.
_LARGE_BYTES: Final = 256 << 20

_DAMAGE: Final = (
    pa.ArrowException,
    EOFError,
    IndexError,
    KeyError,
    OSError,
    OverflowError,
    ValueError,
    struct.error,
    zlib.error,
)


@contextlib.contextmanager
def damage_errors(name: str, what: str) -> Iterator[None]:
    """Turn what readers of `what` raise on bad bytes into an error that names the file.

    Raises
    ------
    DataError
        For damage.
    ResourceError
        Where the system could not read the file, or memory ran out.
    """
    try:
        yield
    except MemoryError as error:  # before ArrowException: Arrow's own is both
        raise ResourceError(
            "needs more memory than there is to read", where=name, got=_first_line(error), hint="or it is damaged"
        ) from None
    except _DAMAGE as error:
        if isinstance(error, KeyError) and error.args and isinstance(error.args[0], int):
            # pyarrow has no class for this type of Arrow, such as an interval of months.
            raise DataError(
                "a column is of a type that cannot be read",
                where=name,
                got=f"type {error.args[0]} of Arrow",
                hint="write it without that column, or as text",
            ) from None
        if isinstance(error, OSError) and error.errno is not None and error.strerror:
            raise ResourceError(f"cannot be read: {error.strerror}", where=name) from None
        raise DataError(f"is damaged, cut off or not {what}", where=name, got=_first_line(error)) from None


def refuse_expansion(declared: int, packed: int, name: str) -> None:
    """Refuse `packed` bytes that claim to hold `declared` ones, before memory is spent on them.

    Raises
    ------
    DataError
        Where that is so much that they must be a trap.
    ResourceError
        Where it is more than the memory that there is.
    """
    if declared > max(RATIO_FREE_BYTES, MAX_RATIO * packed):
        raise DataError(
            "expands far more than any data set does",
            where=name,
            expected=f"at most {RATIO_FREE_BYTES} bytes, or {MAX_RATIO} times the packed size",
            got=f"{packed} bytes that expand to {declared} or more",
        )
    if declared <= _LARGE_BYTES:
        return
    tightest = min(limits(), key=lambda limit: limit.bytes, default=None)
    if tightest is not None and declared > tightest.bytes:
        raise ResourceError(
            "needs more memory than there is to read",
            where=name,
            expected=f"at most {tightest.bytes} bytes ({tightest.name})",
            got=f"{packed} bytes that expand to {declared} or more",
            hint="split it, or use a machine with more memory",
        )


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:200] or type(error).__name__
