"""The record of a commit: what becomes of which temporary, in whose place, and how it is told from others' files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from sage_select.errors import DataError
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.regular import read_regular
from sage_select.io.tables.strict_json import decode

__all__ = ["CommitRecord", "Move", "identity", "read_record"]

#: Inode and time of the last change, which a renamed file keeps; inodes alone are used again.
Identity: TypeAlias = tuple[int, int]

_VERSION: Final = 2
_MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Move:
    """A temporary that becomes a part of the output.

    Parameters
    ----------
    temporary, name
        What it is called, and what it is going to be called.
    identity
        Of the temporary, which keeps it under its new name.
    replaces
        The identity of what has the name before; None where nothing has.
    """

    temporary: Path
    name: Path
    identity: Identity | None
    replaces: Identity | None

    @property
    def aside(self) -> Path:
        """Where a folder goes that is replaced."""
        return self.temporary.with_suffix(".old")

    @property
    def is_possible(self) -> bool:
        """Whether it has been made already, or can be made without loss of anything but what it replaces."""
        before, after = identity(self.temporary), identity(self.name)
        if before is None:
            return after == self.identity
        return before == self.identity and after in (None, self.replaces)


@dataclass(frozen=True)
class CommitRecord:
    """What is to be done once the record has its name.

    Parameters
    ----------
    moves
        The parts of the new output.
    removals
        Parts of the old output that the new one does not have, with their identities.
    """

    moves: tuple[Move, ...]
    removals: tuple[tuple[Path, Identity | None], ...]

    def aside(self, path: Path) -> Path:
        """Return where a folder goes that is removed: a temporary of the run, by its place among what is removed."""
        place = [one for one, _ in self.removals].index(path)
        return self.moves[0].temporary.with_suffix(f".gone{chr(ord('a') + place)}")

    def to_dict(self) -> dict[str, Any]:
        """Return what the file holds."""
        return {
            "version": _VERSION,
            "parts": [
                {"temporary": m.temporary.name, "name": m.name.name, "identity": m.identity, "replaces": m.replaces}
                for m in self.moves
            ],
            "remove": [{"name": path.name, "identity": known} for path, known in self.removals],
        }


def identity(path: Path) -> Identity | None:
    """Return what tells a file, folder or link from any other that may have its name; None where nothing has it."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_ino, status.st_mtime_ns


def read_record(names: OutputNames, *, own: bool) -> CommitRecord | None:
    """Return the record of a commit that was cut off; None where there is none.

    Parameters
    ----------
    names
        The output.
    own
        Whether the record and what it names must be files of this user.

    Raises
    ------
    DataError
        Where the record is none of ours, or names other files than those of its writer.
    """
    try:
        data, status = read_regular(names.record, _MOST_BYTES, follow=False)
    except FileNotFoundError:
        return None
    except (DataError, OSError) as error:
        raise _refused(names, str(error.message if isinstance(error, DataError) else error.strerror)) from None
    if own and status.st_uid != os.geteuid():
        raise _refused(names, "a file of another user")
    record = _parsed(names, data)
    if record is None:
        raise _refused(names, "other content than such a record has")
    if not all(move.is_possible for move in record.moves) or any(
        identity(path) not in (None, known) for path, known in record.removals
    ):
        raise _refused(names, "other files under the names in it than its writer put there")
    return record


def _parsed(names: OutputNames, data: bytes) -> CommitRecord | None:
    """Return the record in `data`; None where it is not one that this program writes for this output."""
    try:
        value: Any = decode(data.decode())
        moves = tuple(
            Move(
                names.folder / _name(part["temporary"]),
                names.folder / _name(part["name"]),
                _identity(part["identity"]),
                None if part["replaces"] is None else _identity(part["replaces"]),
            )
            for part in value["parts"]
        )
        removals = tuple((names.folder / _name(part["name"]), _identity(part["identity"])) for part in value["remove"])
        version = value["version"]
    except (ValueError, TypeError, KeyError):
        return None
    runs = {move.temporary.stem for move in moves}
    new, gone = [move.name for move in moves], [path for path, _ in removals]
    sound = (
        version == _VERSION
        and all(names.is_temporary(move.temporary.name) for move in moves)
        and len(runs) == 1
        and len({move.temporary for move in moves}) == len(moves)
        and sorted([*new, *gone]) == sorted(set(new) | set(gone))
        and {names.target, names.manifest} <= set(new) <= set(names.parts)
        and set(gone) <= set(names.parts)
    )
    return CommitRecord(moves, removals) if sound else None


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _identity(value: object) -> Identity:
    number, changed = value if isinstance(value, list) and len(value) == 2 else (None, None)
    if type(number) is not int or type(changed) is not int:
        raise TypeError(value)
    return number, changed


def _refused(names: OutputNames, got: str) -> DataError:
    return DataError(
        "is not a commit record of this program",
        where=str(names.record),
        got=got,
        hint=f"remove it, and {names.folder / f'.{names.target.name}.tmp-*'}, and write the output again",
    )
