"""What files of a buffer are called, and which files of a folder are such."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from sage_select.errors import ResourceError

__all__ = ["commits_in", "is_hidden", "is_ours", "is_temporary", "manifest_name", "temporary_of"]

_MANIFEST: Final = re.compile(r"manifest-(\d{10})\.json")
_OURS: Final = re.compile(r"(manifest|rows|events|members)-\d{10}\.(json|arrow|parquet)")


def manifest_name(commit: int) -> str:
    """Return the name of the manifest of a commit."""
    return f"manifest-{commit:010d}.json"


def commits_in(path: Path) -> list[int]:
    """Return the numbers of all commits of a folder, the oldest first; none where there is no folder.

    Raises
    ------
    ResourceError
        The folder cannot be read.
    """
    try:
        return sorted(int(found[1]) for entry in path.iterdir() if (found := _MANIFEST.fullmatch(entry.name)))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ResourceError("the replay buffer cannot be read", where=str(path), got=error.strerror or "") from None


def temporary_of(path: Path, name: str) -> Path:
    """Return what a file of a folder is called until it is written."""
    return path / f".{name}.tmp"


def is_ours(name: str) -> bool:
    """Tell whether a file of a buffer is called so."""
    return _OURS.fullmatch(name) is not None


def is_temporary(name: str) -> bool:
    """Tell whether a file of a buffer is called so until it is written."""
    return name.startswith(".") and name.endswith(".tmp") and is_ours(name[1:-4])


def is_hidden(name: str) -> bool:
    """Tell whether writers leave a file of this name behind where they are killed before there is a buffer."""
    return name == ".lock" or is_temporary(name)
