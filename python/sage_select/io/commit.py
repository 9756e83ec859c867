"""All parts of an output appear together, or none does, whatever dies when.

The protocol: every part is written under a temporary name and brought to the disk; one record, itself
brought to the disk before it gets its name, says which temporary becomes what; then the parts get their
names; then the record goes. Without a record the temporaries are rubbish, with one they are the output:
whoever next opens or writes the output sweeps the first and completes the second.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from sage_select.errors import DataError, OutputError, ResourceError
from sage_select.io.files import Files, HashedFile
from sage_select.io.lock import locked
from sage_select.io.names import OutputNames

__all__ = ["complete", "publish", "recover", "resource_errors", "sweep"]

_VERSION: Final = 1


def publish(names: OutputNames, run: str, parts: Mapping[Path, Path], files: Files) -> None:
    """Make finished temporaries the output; the caller holds the lock.

    Parameters
    ----------
    names
        The output.
    run
        The run that wrote them.
    parts
        Temporary -> final name. Parts of the output that are not among them are removed.
    files
        The operations to do it with.
    """
    record = {
        "version": _VERSION,
        "parts": [{"temporary": old.name, "name": new.name} for old, new in parts.items()],
        "remove": [path.name for path in names.parts if path not in parts.values()],
    }
    draft = names.temporary(run, "record")
    file = HashedFile(files, draft)
    with contextlib.closing(file):
        file.write(json.dumps(record).encode())
        file.finish()
    files.rename(draft, names.record)
    files.sync_folder(names.folder)
    _carry_out(names, files)


def complete(path: Path) -> None:
    """Complete the commit of `path` where a record of one lies beside it; otherwise do nothing.

    Raises
    ------
    ResourceError
        Where there is a record and the folder cannot be written.
    """
    names = OutputNames(path)
    if not path.name or not os.path.lexists(names.record):
        return
    with resource_errors(path, "a commit that was cut off cannot be completed"), locked(names, wait=True):
        _carry_out(names, Files())


def recover(path: Path) -> None:
    """Complete the commit of `path`, if one was cut off, and sweep what dead runs left.

    Raises
    ------
    ResourceError
        Where there is a commit to complete and the folder cannot be written.
    """
    complete(path)
    names = OutputNames(path)
    # Rubbish that cannot be swept harms nobody, and a live writer's temporaries are none.
    with contextlib.suppress(OSError, OutputError):
        if os.path.lexists(names.lock) or names.temporaries():
            with locked(names):  # which also removes the lock file of a dead writer
                sweep(names, Files())


def sweep(names: OutputNames, files: Files) -> None:
    """Remove the temporaries of an output, unless a record makes them its parts; the caller holds the lock."""
    if os.path.lexists(names.record):
        return
    for path in names.temporaries():
        _remove_tree(path, files)


@contextlib.contextmanager
def resource_errors(path: Path, message: str) -> Iterator[None]:
    """Turn what the operating system refuses into a `ResourceError` about `path`."""
    try:
        yield
    except OSError as error:
        raise ResourceError(message, where=str(path), got=error.strerror or str(error)) from None


def _carry_out(names: OutputNames, files: Files) -> None:
    """Do what the record says; every step can be repeated."""
    record = _record(names)
    if record is None:
        return
    for old, new in record[0]:
        if os.path.lexists(old):
            if os.path.lexists(new) and (_is_folder(new) or _is_folder(old)):
                files.rename(new, old.with_suffix(".old"))  # only files replace each other in one step
            files.rename(old, new)
    for path in record[1]:
        files.remove(path)
    files.sync_folder(names.folder)
    files.remove(names.record)
    files.sync_folder(names.folder)
    with contextlib.suppress(OSError):  # the output is complete; rubbish is swept by the next who comes
        sweep(names, files)


def _record(names: OutputNames) -> tuple[list[tuple[Path, Path]], list[Path]] | None:
    """Return the renames and removals of the record, or None where another process has completed it."""
    try:
        text = names.record.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        record: Any = json.loads(text)
        renames = [(str(part["temporary"]), str(part["name"])) for part in record["parts"]]
        removals = [str(name) for name in record["remove"]]
        known = {path.name for path in names.parts}
        sound = record["version"] == _VERSION and all(names.is_temporary(old) for old, _ in renames)
        sound = sound and {new for _, new in renames} | set(removals) <= known
    except (ValueError, TypeError, KeyError):
        sound = False
    if not sound:
        raise DataError("is not a commit record of this program", where=str(names.record), hint="remove it")
    return [(names.folder / old, names.folder / new) for old, new in renames], [names.folder / n for n in removals]


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _remove_tree(path: Path, files: Files) -> None:
    if not _is_folder(path):
        files.remove(path)
        return
    for child in sorted(path.iterdir()):
        _remove_tree(child, files)
    files.remove_folder(path)
