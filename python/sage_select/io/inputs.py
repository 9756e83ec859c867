"""From what the user named to files that can be read: paths, globs and URLs."""

from __future__ import annotations

import contextlib
import glob
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sage_select.display import is_url
from sage_select.errors import ResourceError, SageError, UsageError, nearest
from sage_select.io.opened import Input
from sage_select.io.remote import fetch
from sage_select.paths import path_problem, user_path

__all__ = ["cannot_open", "existing_file", "open_inputs"]


#: As many files stay open from the first byte to the digest; of more, each is opened again and known again.
_MOST_OPEN: Final = 256


@contextlib.contextmanager
def open_inputs(source: str | Path) -> Iterator[list[Input]]:
    """Yield the files that `source` names, in order; what had to be fetched is deleted afterwards.

    Raises
    ------
    UsageError
        Where nothing of that name exists, or it is neither a file nor a folder.
    ResourceError
        Where it may not be read, or a package for its URL is missing.
    """
    with contextlib.ExitStack() as stack:
        found = stack.enter_context(_found(str(source)))
        inputs = [Input(path, name, hold=len(found) <= _MOST_OPEN) for path, name in found]
        for file in inputs:
            stack.callback(file.close)
        yield inputs


@contextlib.contextmanager
def _found(text: str) -> Iterator[list[tuple[Path, str]]]:
    """Yield the path and the name of each file."""
    if is_url(text) and not os.path.lexists(text):
        with fetch(text) as fetched:
            yield fetched
        return
    path = user_path(text)
    if glob.has_magic(text) and not os.path.lexists(path):
        yield [(match, str(match)) for match in _matches(path)]
    else:
        yield [(existing_file(path, folders=True), text)]


def _matches(pattern: Path) -> list[Path]:
    found = sorted(glob.glob(str(pattern), recursive=True))  # noqa: PTH207  (pathlib cannot glob absolute paths)
    if not found:
        raise UsageError("no file matches the pattern", where=str(pattern), hint=_neighbours(pattern))
    return [existing_file(Path(match), folders=True) for match in found]


def existing_file(path: Path, *, folders: bool = False) -> Path:
    """Return `path` where it is a readable regular file (or, with `folders`, a folder).

    Raises
    ------
    UsageError, ResourceError
        Where it is not.
    """
    problem = path_problem(str(path))
    if problem is not None:
        raise UsageError("is no name of a file", where=str(path), expected=problem, hint="rename it, or link to it")
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise cannot_open(path, error) from None
    if stat.S_ISDIR(mode) and folders:
        return path
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, device or socket"
        raise UsageError(f"is {kind}, not a file", where=str(path))
    if not os.access(path, os.R_OK):
        raise ResourceError("may not be read: permission denied", where=str(path))
    return path


def cannot_open(path: Path, error: OSError) -> SageError:
    """Return the error for a path that the system would not open."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return UsageError("no such file", where=str(path), hint=_neighbours(path))
    if isinstance(error, PermissionError):
        return ResourceError("may not be read: permission denied", where=str(path))
    return UsageError(f"cannot be opened: {error.strerror or error}", where=str(path))


def _neighbours(path: Path) -> str:
    folder = path.parent
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    except OSError:
        return f"the folder {str(folder)!r} is not there either, or may not be read"
    close = nearest(path.name, names)
    if close is not None:
        return close
    if not names:
        return f"the folder {str(folder)!r} is empty"
    return f"{str(folder)!r} holds " + ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
