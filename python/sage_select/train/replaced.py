"""The run that a new one takes the place of: set aside until the new one has taken its first step.

A run may fail in its first step (too little memory, a loss that is no number), and what it was to replace may have
taken days.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from sage_select.train.checkpoints import CHECKPOINT_NAME

__all__ = ["LEDGER_NAME", "ReplacedRun", "remove"]

LEDGER_NAME = "consumed.jsonl"


class ReplacedRun:
    """The old run of a folder, in a hidden folder inside it.

    Parameters
    ----------
    folder
        The output folder.
    parts
        Names of what a run writes there; the one that tells that there is a run comes last.
    """

    def __init__(self, folder: Path, parts: Sequence[str]) -> None:
        self._folder = folder
        self._parts = parts
        self._aside = folder / ".replaced"
        self._discarded = folder / ".discarded"

    def set_aside(self) -> None:
        """Move the run that is there out of the way."""
        self._aside.mkdir(exist_ok=True)
        self._move(self._folder, self._aside)

    def restore(self) -> None:
        """Put the run back in the place of what began to replace it; without one set aside nothing happens."""
        self._delete()
        if not self._aside.is_dir():
            return
        for name in self._parts:
            if (self._aside / name).exists():
                remove(self._folder / name)
        self._move(self._aside, self._folder)
        shutil.rmtree(self._aside)

    def discard(self) -> None:
        """Delete the run that was set aside, but for what others put beside its checkpoints and logs."""
        if self._aside.is_dir():
            # At once, so that a run killed meanwhile is not taken for one that took no step.
            self._aside.rename(self._discarded)
        self._delete()

    def _delete(self) -> None:
        if not self._discarded.is_dir():
            return
        for name in self._parts:
            remove(self._discarded / name)
        self._move(self._discarded, self._folder)
        shutil.rmtree(self._discarded)

    def _move(self, source: Path, target: Path) -> None:
        for name in self._parts:
            _merge(source / name, target / name)


def _merge(source: Path, target: Path) -> None:
    """Move a file or folder; what is in the way in a folder of the same name stays there."""
    if not source.is_symlink() and not source.exists():
        return
    if target.is_dir() and source.is_dir() and not source.is_symlink():
        for entry in source.iterdir():
            if not (target / entry.name).exists():
                entry.rename(target / entry.name)
    else:
        source.rename(target)


def remove(path: Path) -> None:
    """Delete what a run wrote; of a link only the link, and what others put beside checkpoints or logs stays."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    if path.name == "lora_weights":
        shutil.rmtree(path)
        return
    for entry in path.iterdir():
        if not _is_ours(entry):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    if not any(path.iterdir()):
        path.rmdir()


def _is_ours(entry: Path) -> bool:
    """Say whether a run wrote this into its checkpoints or logs."""
    name = entry.name
    return bool(CHECKPOINT_NAME.fullmatch(name)) or name.removeprefix(".") == LEDGER_NAME or name[:11] == "events.out."
