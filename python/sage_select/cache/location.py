"""Where the cache lies, and how large it may become."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sage_select.errors import UsageError
from sage_select.paths import user_path
from sage_select.values.size import bytes_of

__all__ = ["cache_folder", "most_bytes"]

_MOST: Final = 20 << 30


def cache_folder(choice: bool | str | Path | None = None) -> Path | None:
    """Return the folder of the cache, or None for no cache.

    Parameters
    ----------
    choice
        A folder; True or None for `SAGE_CACHE_DIR`, else `~/.cache/sage-select` (`XDG_CACHE_HOME`, an absolute path,
        stands for `~/.cache`); False for none.

    Raises
    ------
    UsageError
        What is named cannot be a folder.
    """
    if choice is False:
        return None
    named = os.environ.get("SAGE_CACHE_DIR", "").strip() if choice is True or choice is None else choice
    if named:
        return user_path(named).absolute()
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (base if base.is_absolute() else Path.home() / ".cache") / "sage-select"
    except RuntimeError:  # a user without a home has no place for it, and can name one
        return None


def most_bytes() -> int:
    """Return how many bytes the cache may hold: `SAGE_CACHE_SIZE` (`5GB`), by default 20 GiB.

    Raises
    ------
    UsageError
        `SAGE_CACHE_SIZE` is no size.
    """
    named = os.environ.get("SAGE_CACHE_SIZE", "").strip()
    size = bytes_of(named) if named else float(_MOST)
    if size is None:
        raise UsageError("SAGE_CACHE_SIZE is no size", expected="such as 5GB or 512MiB", got=repr(named))
    return int(size)
