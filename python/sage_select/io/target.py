"""Whether an output may be written under a name."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from sage_select.errors import OutputError, ResourceError, UsageError
from sage_select.io.encode import OutputFormat, output_format
from sage_select.io.hf_folder import INFO_FILE, STATE_FILE, is_hf_folder
from sage_select.io.manifest import read_manifest
from sage_select.io.names import OutputNames

__all__ = ["check_target", "check_unread"]

_ELSEWHERE: Final = "give another name with -o"


def check_unread(target: Path, *, force: bool) -> OutputFormat:
    """Check an output as far as can be while the input is unread, and return its format.

    An output with a manifest may be the one that would be made, so it passes.

    Raises
    ------
    SageError
        As `check_target` does; `UsageError` also where the name has no known end.
    """
    form = output_format(target)
    if read_manifest(target) is None:
        check_target(OutputNames(target), form, force=force)
    return form


def check_target(names: OutputNames, form: OutputFormat, *, force: bool) -> None:
    """Raise where the output must not or cannot be written.

    Raises
    ------
    UsageError
        Where the name is no file name, or that of a pipe, device or socket.
    OutputError
        Where something is there that `force` does not allow to replace.
    ResourceError
        Where the folder is missing or may not be written.
    """
    if names.target.name in ("", "..") or "\0" in str(names.target):
        raise UsageError("is not a name for an output", where=str(names.target))
    _check_folder(names.folder)
    for path in names.parts:
        if os.path.lexists(path):
            _check_existing(path, form if path == names.target else OutputFormat.PARQUET, force=force)


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "the output folder is missing"
        raise ResourceError(problem, where=str(folder), hint=f"mkdir -p {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ResourceError("the output folder may not be written: permission denied", where=str(folder))


def _check_existing(path: Path, form: OutputFormat, *, force: bool) -> None:
    mode = path.lstat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        raise UsageError("is a pipe, device or socket, not an output", where=str(path), hint=_ELSEWHERE)
    if stat.S_ISDIR(mode) and form is not OutputFormat.HF_FOLDER:
        raise OutputError("is a folder", where=str(path), hint=_ELSEWHERE)
    if not force:
        raise OutputError("exists already", where=str(path), hint=f"replace it with --force, or {_ELSEWHERE}")
    if stat.S_ISREG(mode) and form is OutputFormat.HF_FOLDER:
        raise OutputError("is a file, and the output would be a folder", where=str(path), hint=_ELSEWHERE)
    if stat.S_ISDIR(mode):
        _check_replaceable(path)


def _check_replaceable(folder: Path) -> None:
    """Refuse to delete a folder that holds anything but a saved dataset and its caches."""
    others = sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.is_dir() or not (entry.name in (STATE_FILE, INFO_FILE) or entry.suffix == ".arrow")
    )
    if others or (any(folder.iterdir()) and not is_hf_folder(folder)):
        raise OutputError(
            "is a folder that holds other things than a saved dataset",
            where=str(folder),
            got=", ".join(others[:5]),
            hint=_ELSEWHERE,
        )
