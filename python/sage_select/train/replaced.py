"""The run that a new one takes the place of: it stays where it is until the new one has taken its first step.

A run may fail in its first step (too little memory, a loss that is no number), and what it was to replace may have
taken days. When the step has been taken the old run is set aside, the new one recorded, and the old one deleted; where
that is cut off, the next to lock the folder finds one of the two.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from sage_select.render.adapter_files import ADAPTER_FILES
from sage_select.train.checkpoints import CHECKPOINT_NAME, sync
from sage_select.train.kinds import KINDS

__all__ = [
    "EVALUATIONS_NAME",
    "LEDGER_NAME",
    "LOSSES_NAME",
    "RECORD_NAME",
    "REPLAYED_NAME",
    "ROUNDS_NAME",
    "SCHEDULE_NAME",
    "SETTINGS_NAME",
    "WEIGHT_FOLDERS",
    "ReplacedRun",
    "move",
    "remove",
]

#: What a run writes into its logs: the rows consumed, the evaluations made, and how rounds were decided.
LEDGER_NAME = "consumed.jsonl"
EVALUATIONS_NAME = "evaluations.jsonl"
ROUNDS_NAME = "rounds.jsonl"
#: The schedule of a run, in its folder.
SCHEDULE_NAME = "schedule.arrow"
#: The rows of a replay buffer that a run trains, in its folder.
REPLAYED_NAME = "replayed.arrow"
#: The loss of each row each time that it was consumed, in the folder of a run.
LOSSES_NAME = "ledger.arrow"
#: The record of a run, in its folder; its member `lora_weights`, or `tuned_model`, names the files written there.
RECORD_NAME = "run.json"
#: All settings of a run, in its folder, as `--config` takes them.
SETTINGS_NAME = "settings.yaml"
#: Where trained weights lie in the folder of a run.
WEIGHT_FOLDERS = tuple(dict.fromkeys(kind.folder for kind in KINDS.values()))


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
        self._returning = folder / ".restored"
        self._discarded = folder / ".discarded"

    def set_aside(self) -> None:
        """Move the run that is there out of the way."""
        self._aside.mkdir(exist_ok=True)
        self._move(self._folder, self._aside)

    def restore(self) -> None:
        """Put the run back in the place of what began to replace it; without one set aside nothing happens."""
        self._delete()
        if self._aside.is_dir():
            for name in self._parts:
                if (self._aside / name).exists():
                    remove(self._folder / name)
            # At once, so that nothing is removed of a run that has begun to come back.
            self._rename(self._aside, self._returning)
        if self._returning.is_dir():
            self._move(self._returning, self._folder)
            shutil.rmtree(self._returning)

    def discard(self) -> None:
        """Delete the run that was set aside, but for what others put beside its checkpoints, logs and weights."""
        if self._aside.is_dir():
            # At once, so that a run killed meanwhile is not taken for one that took no step.
            self._rename(self._aside, self._discarded)
        self._delete()

    def _rename(self, before: Path, after: Path) -> None:
        before.rename(after)
        sync(self._folder)

    def _delete(self) -> None:
        if not self._discarded.is_dir():
            return
        for name in self._parts:
            remove(self._discarded / name)
        self._move(self._discarded, self._folder)
        shutil.rmtree(self._discarded)

    def _move(self, source: Path, target: Path) -> None:
        for name in self._parts:
            move(source / name, target / name)


def move(source: Path, target: Path) -> None:
    """Move a file or folder, which may be absent; what is in its way gets another name, folders become one."""
    if not source.is_symlink() and not source.exists():
        return
    if target.is_dir() and source.is_dir() and not source.is_symlink():
        for entry in source.iterdir():
            move(entry, target / entry.name)
        source.rmdir()
        return
    if target.is_symlink() or target.exists():
        target.rename(_free_name(target))
    source.rename(target)


def _free_name(path: Path) -> Path:
    number = 1
    while (free := path.with_name(f"{path.name}.{number}")).is_symlink() or free.exists():
        number += 1
    return free


def remove(path: Path) -> None:
    """Delete what a run wrote; of a link only the link, and what others put into the folders of a run stays.

    A checkpoint is the run's own as a whole: later ones take its place.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    ours = _files_of_weights(path) if path.name in WEIGHT_FOLDERS else list(filter(_is_ours, path.iterdir()))
    for entry in ours:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)
    for folder in sorted({path, *(place for entry in ours for place in entry.parents if path in place.parents)})[::-1]:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _files_of_weights(folder: Path) -> list[Path]:
    """Return the files that a run wrote as its weights and beside them, by the record of the run."""
    try:
        recorded = json.loads((folder.parent / RECORD_NAME).read_text(encoding="utf-8"))[folder.name]
        names = [name for name in recorded if isinstance(name, str)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        names = []
    always = ADAPTER_FILES if folder.name == KINDS["lora"].folder else ()
    return [folder / name for name in dict.fromkeys((*always, *names)) if _is_file_in(folder, name)]


def _is_file_in(folder: Path, name: str) -> bool:
    """Say whether a name is that of a file in a folder; whatever a record names, nothing elsewhere is touched."""
    path = folder / name
    try:
        return path.parent.resolve().is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, ValueError):
        return False


def _is_ours(entry: Path) -> bool:
    """Say whether a run wrote this into its checkpoints or logs."""
    name = entry.name
    ours = name.removeprefix(".") in (LEDGER_NAME, EVALUATIONS_NAME, ROUNDS_NAME)
    return ours or bool(CHECKPOINT_NAME.fullmatch(name)) or name[:11] == "events.out."
