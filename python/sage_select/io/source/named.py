"""From what the user named to files that can be read: paths, globs and URLs."""

from __future__ import annotations

import contextlib
import glob
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from sage_select.display import is_url
from sage_select.errors import DataError, ResourceError, SageError, UsageError, nearest
from sage_select.io.source.hf_folder import is_saved
from sage_select.io.source.opened import Input, TextOptions
from sage_select.io.source.pipes import is_pipe, spooled
from sage_select.io.source.remote import fetch
from sage_select.paths import STREAM, path_problem, user_path

__all__ = ["Named", "absence", "cannot_open", "existing_file", "open_inputs", "short_names", "shown_source"]


#: As many files stay open from the first byte to the digest; of more, each is opened again and known again.
_MOST_OPEN: Final = 256


#: What users name: one file, folder, pattern or URL, or several.
Named: TypeAlias = "str | Path | Sequence[str | Path]"
#: Ends of the names of data files in a folder; other files in it are passed over.
_DATA_SUFFIXES: Final = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".arrows")
_PACKED_SUFFIXES: Final = (".gz", ".gzip", ".zst", ".zstd")


@contextlib.contextmanager
def open_inputs(source: Named, text: TextOptions | None = None) -> Iterator[list[Input]]:
    """Yield the files that `source` names, in order; what had to be fetched is deleted afterwards.

    `text` says how text files are read.

    Raises
    ------
    UsageError
        Where nothing of that name exists, or it is neither a file, a folder nor a pipe.
    ResourceError
        Where it may not be read, or a package for its URL is missing.
    """
    with contextlib.ExitStack() as stack:
        named = [source] if isinstance(source, str | Path) else list(source)
        if not named:
            raise UsageError("no input is named")
        found = [file for one in named for file in stack.enter_context(_found(str(one)))]
        twice = next((name for name, count in Counter(name for _, name in found).items() if count > 1), None)
        if twice is not None:
            raise UsageError("is named twice", where=twice, hint="rows that are to count twice lie in two files")
        inputs = [Input(path, name, hold=len(found) <= _MOST_OPEN, text=text) for path, name in found]
        for file in inputs:
            stack.callback(file.close)
        yield inputs


def shown_source(source: Named) -> str:
    """Return what messages call the whole of an input."""
    if isinstance(source, str | Path):
        return str(source)
    names = [str(one) for one in source]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def short_names(names: Sequence[str]) -> list[str]:
    """Return names of files without the folders that all of them lie in.

    Examples
    --------
    >>> short_names(["data/a.jsonl", "data/more/b.parquet"])
    ['a.jsonl', 'more/b.parquet']
    """
    parts = [name.split("/") for name in names]
    same = 0
    while all(len(part) > same + 1 and part[same] == parts[0][same] for part in parts):
        same += 1
    return ["/".join(part[same:]) for part in parts]


def absence(text: str) -> UsageError | None:
    """Return why nothing of this machine is called so, as reading it would say; None where something is."""
    path = user_path(text)
    try:
        if glob.has_magic(text) and not os.path.lexists(path):
            _matches(path)
        elif not os.path.lexists(path):
            existing_file(path)
    except UsageError as error:
        return error
    return None


@contextlib.contextmanager
def _found(text: str) -> Iterator[list[tuple[Path, str]]]:
    """Yield the path and the name of each file."""
    if is_url(text) and not os.path.lexists(text):
        with fetch(text) as fetched:
            yield fetched
        return
    if text == STREAM or is_pipe(user_path(text)):
        with spooled(text) as stream:
            yield [stream]
        return
    path = user_path(text)
    if glob.has_magic(text) and not os.path.lexists(path):
        yield [(match, str(match)) for match in _matches(path)]
    elif path.is_dir() and not is_saved(path):
        yield [(file, os.path.join(text, file.name)) for file in _data_files_in(path)]  # noqa: PTH118
    else:
        yield [(existing_file(path, folders=True), text)]


def _data_files_in(folder: Path) -> list[Path]:
    """Return the data files of a folder, sorted by name, without what we write beside outputs."""
    found = []
    for file in sorted(folder.iterdir()):
        name = file.name.lower()
        packed = next((end for end in _PACKED_SUFFIXES if name.endswith(end)), "")
        is_data = name.removesuffix(packed).endswith(_DATA_SUFFIXES) and not name.startswith(".")
        if is_data and not name.endswith((".manifest.json", ".rows.parquet")) and file.is_file():
            found.append(existing_file(file))
    if not found:
        raise DataError(
            "is a folder without a saved dataset or data files",
            where=str(folder),
            expected="a folder that save_to_disk has written, or one with .jsonl, .csv, .parquet or .arrow files",
            hint=_neighbours(folder / "*"),
        )
    return found


def _matches(pattern: Path) -> list[Path]:
    found = sorted(glob.glob(str(pattern), recursive=True))  # noqa: PTH207  (pathlib cannot glob absolute paths)
    if not found:
        # The part that is a pattern may well be meant as it stands, as in `[D]ata (v2)`.
        odd = next((part for part in pattern.parts if glob.has_magic(part)), pattern.name)
        raise UsageError(
            "no file matches the pattern",
            where=str(pattern),
            expected=f"a file whose name matches {odd!r}, in which *, ? and [...] stand for other characters",
            hint=_as_it_stands(pattern) or _neighbours(pattern),
        )
    return [existing_file(Path(match), folders=True) for match in found]


def _as_it_stands(pattern: Path) -> str | None:
    """Return a hint for a pattern of which a part, as it stands, is the name of something."""
    place, written = Path(), Path()
    for part in pattern.parts:
        meant = glob.has_magic(part) and (place / part).exists()
        place, written = place / part, written / (glob.escape(part) if meant else part)
    return None if written == pattern else f"a part of it is there as it stands: write {str(written)!r}"


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
