"""When memory or the disk runs out: the many ways libraries say it, as one kind of error that says what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sage_select.errors import ResourceError

__all__ = ["resource_failures"]

_DISK = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE}
)
#: What torch and safetensors, which have no error numbers, say of a disk that is full.
_DISK_WORDS = (
    "No space left",
    "Disk quota",
    "File too large",
    "Read-only file system",
    "PytorchStreamWriter failed",
    "unexpected pos",
    "iostream error",
)
_MEMORY_WORDS = ("out of memory", "can't allocate memory", "Cannot allocate memory")


@contextmanager
def resource_failures(folder: Path) -> Iterator[None]:
    """Turn a shortage inside the block into ResourceError; other errors pass.

    Parameters
    ----------
    folder
        Where the run writes.
    """
    try:
        yield
    except MemoryError:
        raise _memory() from None
    except OSError as error:
        if error.errno not in _DISK:
            raise
        raise _disk(folder, error.strerror or str(error)) from None
    except Exception as error:
        said = str(error)
        if any(word in said for word in _MEMORY_WORDS):
            raise _memory() from None
        if any(word in said for word in _DISK_WORDS):
            raise _disk(folder, said.partition("\n")[0]) from None
        raise


def _memory() -> ResourceError:
    return ResourceError(
        "there is too little memory to train",
        hint="lower --batch-size (and raise --gradient-accumulation), lower --max-length, "
        "or hold the model in fewer bits with --load-in-4bit",
    )


def _disk(folder: Path, said: str) -> ResourceError:
    return ResourceError(
        "the output folder cannot be written",
        where=str(folder),
        got=said,
        hint="make room, then continue with --resume",
    )
