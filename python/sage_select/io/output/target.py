"""Whether an output may be written under a name."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from sage_select.errors import DataError, OutputError, ResourceError, UsageError
from sage_select.io.commit.manifest import named_parts
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.overlap import check_overlap
from sage_select.io.commit.protocol import recover
from sage_select.io.formats.encode import OutputFormat, output_format
from sage_select.io.source.hf_folder import INFO_FILE, STATE_FILE, is_hf_folder
from sage_select.paths import path_problem
from sage_select.values.location import InputSetting

__all__ = ["check_parts", "check_target", "is_own", "preflight_output"]

_ELSEWHERE: Final = "give another name with -o"


def preflight_output(
    target: Path,
    inputs: Iterable[InputSetting],
    *,
    force: bool,
    overwrite_foreign: bool = False,
    writes: bool = True,
) -> OutputFormat:
    """Check an output as far as can be before anything is read, and return its format.

    An output of this program may be the one that would be made, so it passes.

    Parameters
    ----------
    target
        Its name.
    inputs
        Everything that the run is going to read.
    force, overwrite_foreign
        What may be replaced, as `check_target` says.
    writes
        Whether the run goes on to write it: then it first completes the commit of a run that was cut off.

    Raises
    ------
    SageError
        As `check_target` and `recover` do; `UsageError` also where the name has no known end, the output would take
        the place of an input, or `overwrite_foreign` is given without `force`.
    """
    if overwrite_foreign and not force:
        raise UsageError(
            "--overwrite-foreign replaces nothing without --force",
            hint="give both to replace what is not an output of sage-select",
        )
    form = output_format(target)
    check_overlap(target, inputs)
    if writes:
        recover(target)
    names = OutputNames(target)
    if not is_own(names):
        check_target(names, form, force=force, overwrite_foreign=overwrite_foreign)
    return form


def check_target(names: OutputNames, form: OutputFormat, *, force: bool, overwrite_foreign: bool = False) -> None:
    """Raise where the output must not or cannot be written.

    Parameters
    ----------
    names
        The output.
    form
        Its format.
    force
        Replace an output of this program: one whose manifest lies beside it and names it.
    overwrite_foreign
        With `force`, replace any file and any saved dataset. A folder that holds anything else is never replaced.

    Raises
    ------
    UsageError
        Where the name is no file name, or that of a pipe, device or socket.
    DataError
        Where the manifest that lies there is damaged, and nothing may be replaced.
    OutputError
        Where something is there that may not be replaced.
    ResourceError
        Where the folder is missing or may not be written.
    """
    check_parts(
        names,
        lambda path: _check_kind(path, form if path == names.target else OutputFormat.PARQUET),
        force=force,
        overwrite_foreign=overwrite_foreign,
    )


def check_parts(
    names: OutputNames, check_kind: Callable[[Path], None], *, force: bool, overwrite_foreign: bool = False
) -> None:
    """Raise as `check_target` does, of an output of any kind.

    Parameters
    ----------
    names
        The output.
    check_kind
        Raises where a part that is there may never be replaced, whatever is asked for.
    force, overwrite_foreign
        As of `check_target`.
    """
    problem = path_problem(str(names.target))
    if names.target.name in ("", "..") or problem is not None:
        raise UsageError("is not a name for an output", where=str(names.target), expected=problem)
    _check_folder(names.folder)
    present = [path for path in names.parts if os.path.lexists(path)]
    for path in present:
        check_kind(path)
    foreign = {} if overwrite_foreign else _foreign(names, present, force=force)
    for path in present:
        if not force:
            way_out = "--force --overwrite-foreign" if foreign else "--force"
            raise OutputError("exists already", where=str(path), hint=f"replace it with {way_out}, or {_ELSEWHERE}")
        if path in foreign:
            raise OutputError(
                "is not an output of sage-select, and --force replaces nothing else",
                where=str(path),
                got=foreign[path],
                hint=f"replace it with --force --overwrite-foreign, or {_ELSEWHERE}",
            )


def is_own(names: OutputNames) -> bool:
    """Tell whether all that lies there is of an output of this program."""
    # There may be no row report.
    present = [path for path in names.parts if os.path.lexists(path)]
    return os.path.lexists(names.manifest) and not _foreign(names, present, force=True)


def _foreign(names: OutputNames, present: list[Path], *, force: bool) -> dict[Path, str]:
    """Return which parts are not known to be ours, each with the reason; without `force`, raise what is damaged."""
    present = [path for path in present if not _is_empty_folder(path)]
    try:
        named = named_parts(names)
    except (DataError, ResourceError) as error:
        if force or not present:
            return dict.fromkeys(present, f"a manifest that {error.message}")
        error.hint = f"replace the output with --force --overwrite-foreign, or {_ELSEWHERE}"
        raise
    if not named:
        return dict.fromkeys(present, f"no {names.manifest.name} beside it")
    return {path: f"{names.manifest.name} does not name it" for path in present if path.name not in named}


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "the output folder is missing"
        raise ResourceError(problem, where=str(folder), hint=f"mkdir -p {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ResourceError("the output folder may not be written: permission denied", where=str(folder))


def _check_kind(path: Path, form: OutputFormat) -> None:
    """Refuse what no setting allows to replace: devices, one kind by the other, folders of other things."""
    mode = path.lstat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        raise UsageError("is a pipe, device or socket, not an output", where=str(path), hint=_ELSEWHERE)
    if stat.S_ISDIR(mode) and form is not OutputFormat.HF_FOLDER:
        raise OutputError("is a folder", where=str(path), hint=_ELSEWHERE)
    if stat.S_ISREG(mode) and form is OutputFormat.HF_FOLDER:
        raise OutputError("is a file, and the output would be a folder", where=str(path), hint=_ELSEWHERE)
    if stat.S_ISDIR(mode):
        _check_replaceable(path)


def _is_empty_folder(path: Path) -> bool:
    """Tell whether there is a folder without anything in it, with which nothing is lost."""
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


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
