"""All parts of an output appear together, or none does, whatever dies when.

The protocol: every part is written under a temporary name and brought to the disk; one record, itself
brought to the disk before it gets its name, says which temporary becomes what, and in whose place; then the parts
get their names; then the record goes. Without a record the temporaries are rubbish, with one they are the output:
whoever next writes the output sweeps the first and completes the second. Readers do neither.

A record knows files by more than their names (inode and time of change): what it brings in, what it replaces and what
it removes. So a record that somebody else has put there, or that came with a copied folder, does nothing, and no file
is lost that took a name after the writer had died.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from sage_select.errors import OutputError, ResourceError
from sage_select.io.commit.files import Files, HashedFile
from sage_select.io.commit.lock import locked
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.record import CommitRecord, Move, identity, read_record

__all__ = ["exclusive", "publish", "recover", "resource_errors", "sweep"]


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
    record = CommitRecord(
        moves=tuple(Move(old, new, identity(old), identity(new)) for old, new in parts.items()),
        removals=tuple(
            (path, identity(path)) for path in names.parts if path not in parts.values() and os.path.lexists(path)
        ),
    )
    draft = names.temporary(run, "record")
    file = HashedFile(files, draft)
    with contextlib.closing(file):
        file.write(json.dumps(record.to_dict()).encode())
        file.finish()
    files.rename(draft, names.record)
    files.sync_folder(names.folder)
    _carry_out(names, record, files)


def recover(path: Path, names: OutputNames | None = None) -> None:
    """Complete the commit of `path`, if one was cut off, and sweep the temporaries of dead runs. Only writers do this.

    Parameters
    ----------
    path
        The output.
    names
        Its names, where it is no table of rows.

    Raises
    ------
    DataError
        Where a record lies beside it that is none of ours, or is not true of the files that lie there.
    ResourceError
        Where there is a commit to complete and the folder cannot be written.
    """
    names = OutputNames(path) if names is None else names
    if not path.name or not names.folder.is_dir():
        return
    if os.path.lexists(names.record):
        with resource_errors(path, "a commit that was cut off cannot be completed"), exclusive(names, wait=True):
            return
    # Rubbish that cannot be swept harms nobody, and a live writer's temporaries are none.
    with contextlib.suppress(OSError, OutputError):
        if os.path.lexists(names.lock) or names.temporaries():
            with exclusive(names):
                return


@contextlib.contextmanager
def exclusive(names: OutputNames, files: Files | None = None, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock of an output, with all that an earlier writer began completed.

    Parameters
    ----------
    names
        The output.
    files
        The operations to complete what an earlier writer began.
    wait
        Whether to wait for another holder; a writer holds it as long as it writes.

    Raises
    ------
    OutputError
        Where another process holds it and `wait` is false.
    DataError
        As `recover` does.
    OSError
        Where the folder cannot be written.
    """
    files = Files() if files is None else files
    busy = OutputError("another run is writing it", where=str(names.target), hint="wait for it, or give -o")
    with locked(names.lock, busy=busy, wait=wait):
        record = read_record(names, own=True)
        if record is not None:
            _carry_out(names, record, files)
        sweep(names, files)
        yield


def sweep(names: OutputNames, files: Files) -> None:
    """Remove our temporaries of an output, unless a record makes them its parts; the caller holds the lock."""
    if os.path.lexists(names.record):
        return
    for path in names.temporaries():
        if path.lstat().st_uid == os.geteuid():
            _remove_tree(path, files)


@contextlib.contextmanager
def resource_errors(path: Path, message: str) -> Iterator[None]:
    """Turn what the operating system refuses into a `ResourceError` about `path`."""
    try:
        yield
    except OSError as error:
        raise ResourceError(message, where=str(path), got=error.strerror or str(error)) from None


def _carry_out(names: OutputNames, record: CommitRecord, files: Files) -> None:
    """Do what the record says; every step can be repeated."""
    for move in record.moves:
        if os.path.lexists(move.temporary):
            if os.path.lexists(move.name) and (_is_folder(move.name) or _is_folder(move.temporary)):
                files.rename(move.name, move.aside)  # only files replace each other in one step
            files.rename(move.temporary, move.name)
    for path, _ in record.removals:
        if _is_folder(path):
            files.rename(path, record.aside(path))  # at once; it is swept with the temporaries
        else:
            files.remove(path)
    files.sync_folder(names.folder)
    files.remove(names.record)
    files.sync_folder(names.folder)
    with contextlib.suppress(OSError):  # the output is complete; rubbish is swept by the next who comes
        sweep(names, files)


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
