"""Whether an output would take the place of something that the run reads."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from sage_select.display import is_url
from sage_select.errors import UsageError
from sage_select.io.commit.names import OutputNames
from sage_select.paths import STREAM
from sage_select.values.location import InputSetting

__all__ = ["are_all_among", "check_overlap", "is_at_or_in"]

#: Device and inode: what a file is, however its name is spelt.
_FileKey: TypeAlias = tuple[int, int]


def check_overlap(target: Path, inputs: Iterable[InputSetting], *, with_parts: bool = True) -> None:
    """Raise where an output is, contains, lies inside or links to something that the run reads.

    Files are compared by device and inode, so that links and other spellings of a name are seen through. The parts
    of the output beside it are compared as well, and so are the manifest and the rows of an input that is an output
    of ours. Nothing is opened; names that are not there, such as those of model repositories, overlap with nothing.

    Parameters
    ----------
    target
        The output.
    inputs
        What is read.
    with_parts
        Whether the output has a manifest and other parts beside it.

    Raises
    ------
    UsageError
        Where they overlap: it names both, and the setting.
    """
    output = _Output(target, with_parts=with_parts)
    for setting in inputs:
        for path in _local_paths(setting.value):
            relation = output.relation_to(path)
            if relation is not None:
                raise UsageError(
                    "the output would take the place of an input",
                    where=str(target),
                    got=f"{relation} {path} ({setting.name})",
                    hint="give the output another name, outside of all inputs",
                )


def is_at_or_in(path: Path, place: Path) -> bool:
    """Say whether a name stands for a place or for something inside it, however both are spelt.

    Neither needs to be there; of a place that is not, the folder and the name are compared.
    """
    there = _identities(place)
    if there:
        return bool(there & (_identities(path) | _above(path)))
    return path.name == place.name and bool(_identities(path.parent) & _identities(place.parent))


def are_all_among(names: Iterable[str], others: Iterable[str]) -> bool:
    """Say whether each of these files, of which there is one at least, is one of the others, however they are spelt."""
    known = {identity for other in others for path in _local_paths(other) for identity in _identities(path)}
    found = [{identity for path in _local_paths(name) for identity in _identities(path)} for name in names]
    return bool(found) and all(identities & known for identities in found)


class _Output:
    """The names that writing an output creates, replaces or removes, as identities of what lies there."""

    def __init__(self, target: Path, *, with_parts: bool) -> None:
        names = OutputNames(target)
        beside = [*names.parts[1:], names.lock, names.record, *_temporaries(names)] if with_parts else []
        self._here = _identities(target)
        self._beside = {identity: path.name for path in beside for identity in _identities(path)}
        self._above = _above(target)

    def relation_to(self, path: Path) -> str | None:
        """Say what the output is to an input; None where it is nothing to it."""
        for own in (path, *_sidecars(path)):
            identities = _identities(own)
            if identities & self._here:
                return "it is the same as"
            for identity in identities & self._beside.keys():
                return f"{self._beside[identity]}, a part of the output, is the same as"
            if self._here & _above(own):
                return "it contains"
        if _identities(path) & self._above:
            return "it lies inside"
        if (self._here or self._beside) and path.is_dir():
            replaced = self._here | self._beside.keys()
            if any(_identities(file) & replaced for file in _files_below(path)):
                return "it is the same as a file in"
        return None


def _local_paths(value: str) -> Iterator[Path]:
    """Yield everything on this machine's disks that a setting names."""
    if value == STREAM:
        value = "/dev/stdin"
    if not value:
        return
    path = Path(os.path.expanduser(value))  # noqa: PTH111  (which raises nothing, for no user either)
    if os.path.lexists(path):
        yield path
    elif is_url(value):
        for part in value.split("::"):  # one file system inside another, as in zip://rows.jsonl::file:///rows.zip
            scheme, separator, rest = part.partition("://")
            if not separator or scheme in ("file", "local"):
                yield from _local_paths(rest if separator else part)
    elif glob.has_magic(value):
        yield from map(Path, glob.iglob(str(path), recursive=True))  # noqa: PTH207  (absolute patterns)


def _sidecars(path: Path) -> tuple[Path, ...]:
    return OutputNames(path).parts[1:] if path.name else ()


def _temporaries(names: OutputNames) -> list[Path]:
    try:
        return names.temporaries()
    except (OSError, ValueError):
        return []


def _identities(path: Path) -> set[_FileKey]:
    """Return what a name stands for, and the link itself where it is one."""
    found = set()
    for follow in (True, False):
        try:
            status = path.stat(follow_symlinks=follow)
        except (OSError, ValueError):
            continue
        found.add((status.st_dev, status.st_ino))
    return found


def _above(path: Path) -> set[_FileKey]:
    """Return the folders that hold a name, as it is spelt and as it resolves."""
    try:
        places = {Path(os.path.realpath(path.parent), path.name), Path(os.path.realpath(path))}
    except (OSError, ValueError):
        return set()
    return {identity for place in places for folder in place.parents for identity in _identities(folder)}


def _files_below(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        for name in names:
            yield Path(place, name)
