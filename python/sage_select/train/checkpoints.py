"""Checkpoints that are known to be whole: a seal is written after everything else, and checked before resuming."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["CHECKPOINT_NAME", "Checkpoint", "list_checkpoints", "newest_complete", "prune", "read_seal", "seal"]

_SEAL = "sage.json"
#: A folder of one checkpoint, with its step.
CHECKPOINT_NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint folder, complete or not."""

    step: int
    folder: Path


def list_checkpoints(folder: Path) -> list[Checkpoint]:
    """Return the checkpoints in `folder`, newest first."""
    if not folder.is_dir():
        return []
    found = [
        (match, path) for path in folder.iterdir() if (match := CHECKPOINT_NAME.fullmatch(path.name)) and path.is_dir()
    ]
    return sorted((Checkpoint(int(match[1]), path) for match, path in found), key=lambda one: -one.step)


def seal(folder: Path, identity: Mapping[str, Any]) -> None:
    """Make a written checkpoint durable and mark it as whole: sizes and digests of its files, and the run it is of.

    Parameters
    ----------
    identity
        What the run is known by, part by part: rows, tokens, schedule, tokenizer, template, model and settings.
    """
    # A pickle of the arguments that nothing reads.
    (folder / "training_args.bin").unlink(missing_ok=True)
    files = {}
    for path in sorted(folder.rglob("*")):  # named chat templates lie in a folder of their own
        # A seal that is there already, of a run that has changed, is replaced.
        if path.is_file() and path != folder / _SEAL:
            files[str(path.relative_to(folder))] = {"bytes": path.stat().st_size, "blake2b": _digest(path)}
        sync(path)
    content = json.dumps({"identity": dict(identity), "files": files}, indent=1) + "\n"
    temporary = folder / f".{_SEAL}"
    temporary.write_text(content, encoding="utf-8")
    sync(temporary)
    temporary.replace(folder / _SEAL)
    sync(folder)


def newest_complete(folder: Path) -> tuple[Checkpoint | None, list[Checkpoint]]:
    """Return the newest whole checkpoint (None if there is none) and the newer ones that are not whole."""
    torn: list[Checkpoint] = []
    for checkpoint in list_checkpoints(folder):
        if read_seal(checkpoint.folder) is not None:
            return checkpoint, torn
        torn.append(checkpoint)
    return None, torn


def read_seal(folder: Path) -> dict[str, Any] | None:
    """Return what the run is known by that wrote a whole checkpoint, None if it is not whole."""
    if not (folder / _SEAL).is_file():
        return None
    try:
        content = json.loads((folder / _SEAL).read_text(encoding="utf-8"))
        for name, expected in content["files"].items():
            path = folder / name
            if not path.is_file() or path.stat().st_size != expected["bytes"] or _digest(path) != expected["blake2b"]:
                return None
        return dict(content["identity"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def prune(folder: Path, keep: int, besides: int | None = None) -> None:
    """Delete all but the newest `keep` checkpoints, and the one of the step `besides`."""
    for checkpoint in list_checkpoints(folder)[keep:]:
        if checkpoint.step != besides:
            shutil.rmtree(checkpoint.folder)


def sync(path: Path) -> None:
    """Bring a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
