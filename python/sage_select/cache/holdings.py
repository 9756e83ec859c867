"""What a cache holds, producer by producer, and how room is made."""

from __future__ import annotations

import contextlib
import json
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from sage_select.errors import DataError
from sage_select.io.commit.regular import read_regular

__all__ = ["FORMAT", "IDENTITY", "SUFFIX", "TEMPORARY", "Entry", "Holding", "entries", "holdings", "prune"]

#: The folder of this form of entries; another form would have another.
FORMAT: Final = "values-1"
#: What says in a producer's folder whose values these are.
IDENTITY: Final = "producer.json"
SUFFIX: Final = ".arrow"
#: How names of files begin that are not complete.
TEMPORARY: Final = ".tmp-"
#: What tells backups to pass over a folder (https://bford.info/cachedir), and us whose it is.
TAG_FILE: Final = "CACHEDIR.TAG"
TAG: Final = "Signature: 8a477f597d28d172789f06886806bc55\n# The cache of sage-select; it may be removed at any time.\n"
_NAME: Final = re.compile(rf"[0-9a-f]{{32}}/[0-9a-f]{{32}}\.[0-9a-f]{{32}}{re.escape(SUFFIX)}")
#: Bytes of such a description, at most.
_MOST: Final = 1 << 20


class Entry(NamedTuple):
    """A file of values: its bytes, and when it was last used, in seconds since 1970."""

    path: Path
    size: int
    used: float


@dataclass(frozen=True)
class Holding:
    """What is held of one producer.

    Attributes
    ----------
    name
        Its folder.
    identity
        All that its values depend on beside rows; empty where that cannot be read.
    blocks, bytes
        How many blocks of rows, and what they take.
    used
        When one of them was last used, in seconds since 1970.
    """

    name: str
    identity: dict[str, Any]
    blocks: int
    bytes: int
    used: float


def entries(folder: Path) -> Iterator[Entry]:
    """Yield the files of values, whoever made them; those that vanish meanwhile are passed over."""
    for path in sorted((folder / FORMAT).glob(f"*/*{SUFFIX}")):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and _NAME.fullmatch(f"{path.parent.name}/{path.name}"):
                yield Entry(path, status.st_size, status.st_mtime)


def is_cache(folder: Path) -> bool:
    """Tell whether a folder is a cache of this program, by the tag that lies in it."""
    try:
        return read_regular(folder / TAG_FILE, _MOST)[0] == TAG.encode()
    except (OSError, DataError):
        return False


def holdings(folder: Path) -> list[Holding]:
    """Return what is held, that of the producer used last first."""
    by_producer: dict[Path, list[Entry]] = {}
    for one in entries(folder):
        by_producer.setdefault(one.path.parent, []).append(one)
    found = [
        Holding(parent.name, _identity(parent), len(own), sum(one.size for one in own), max(one.used for one in own))
        for parent, own in by_producer.items()
    ]
    return sorted(found, key=lambda one: (-one.used, one.name))


def prune(folder: Path, *, older_than: float | None = None, most: int | None = None) -> tuple[int, int]:
    """Remove values, those used longest ago first, and return how many files and bytes went.

    Parameters
    ----------
    folder
        The cache.
    older_than
        Seconds: values that were not used for so long go.
    most
        Bytes that may stay. Without both all values go.

    Raises
    ------
    OSError
        Where a file cannot be removed.
    """
    found = sorted(entries(folder), key=lambda one: (one.used, one.path))
    held, now, files, size = sum(one.size for one in found), time.time(), 0, 0
    everything = older_than is None and most is None
    for one in found:
        old = older_than is not None and now - one.used > older_than
        if everything or old or (most is not None and held - size > most):
            one.path.unlink(missing_ok=True)
            files, size = files + 1, size + one.size
    for parent in {one.path.parent for one in found}:
        if not any(parent.glob(f"*{SUFFIX}")):
            (parent / IDENTITY).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # a writer is at work in it, or something of somebody else is
                parent.rmdir()
    return files, size


def _identity(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_regular(folder / IDENTITY, _MOST, follow=False)[0])
    except (OSError, DataError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
