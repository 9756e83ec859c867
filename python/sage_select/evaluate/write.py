"""A comparison as a JSON file that appears whole or not at all, and never in the place of anything else."""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sage_select.errors import OutputError, ResourceError, UsageError
from sage_select.io.commit.overlap import check_overlap, is_at_or_in
from sage_select.paths import user_path
from sage_select.train.run_folder import RUN_PARTS
from sage_select.values.location import InputSetting

__all__ = ["check_result_path", "write_comparison"]

#: What the file begins with, by which it is known as ours.
_FORMAT: Final = {"format": "sage-select evaluation", "format_version": 2}
_HEAD: Final = b'{\n  "format": "sage-select evaluation",'
_ELSEWHERE: Final = "give the file another name"


def check_result_path(
    path: str | Path, *, inputs: Mapping[str, str | Path | None] | None = None, folder: Path | None = None
) -> None:
    """Raise where the file of a comparison must not or cannot be written.

    An older result is replaced; anything else never is, whatever is allowed to be replaced otherwise.

    Parameters
    ----------
    path
        The file; a link stands for what it leads to.
    inputs
        Setting -> the file or folder that is read, or the name of a repository; None where there is none.
    folder
        The output folder of a run; what the run writes there is its own.

    Raises
    ------
    UsageError
        If the folder of the file is missing, the file is none, or it is or lies in something that is read.
    OutputError
        If the file holds anything but an older result, or the run writes one of that name.
    ResourceError
        If the folder may not be written, or the file not read.
    """
    target = _resolved(path)
    if not target.parent.is_dir():
        raise UsageError("the folder for the result does not exist", where=str(path), hint=f"mkdir -p {target.parent}")
    settings = [InputSetting(name, "file", str(given)) for name, given in (inputs or {}).items() if given is not None]
    check_overlap(target, settings, with_parts=False)
    if folder is not None and any(is_at_or_in(target, _resolved(folder) / name) for name in RUN_PARTS):
        raise OutputError("the run writes a file of its own there", where=str(path), hint=_ELSEWHERE)
    if os.path.lexists(target):
        _check_existing(target, path)
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise ResourceError("the folder for the result may not be written", where=str(path))


def write_comparison(path: str | Path, comparison: Mapping[str, Any]) -> None:
    """Write what `compare` returned, replacing an older result.

    Raises
    ------
    SageError
        As `check_result_path`; whatever is there is then untouched.
    """
    check_result_path(path)
    target = _resolved(path)
    text = json.dumps({**_FORMAT, **comparison}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ResourceError(f"cannot be written: {error.strerror}", where=str(path)) from None


def _resolved(path: str | Path) -> Path:
    return Path(os.path.realpath(user_path(path)))


def _check_existing(target: Path, path: str | Path) -> None:
    if not stat.S_ISREG(target.lstat().st_mode):
        raise UsageError("the result needs a file, and this is none", where=str(path), hint=_ELSEWHERE)
    try:
        with target.open("rb") as file:
            head = file.read(len(_HEAD))
    except OSError as error:
        raise ResourceError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if head != _HEAD:
        raise OutputError(
            "exists already and is not a result of sage-train, so that it is never replaced",
            where=str(path),
            hint=f"{_ELSEWHERE}, or remove it",
        )
