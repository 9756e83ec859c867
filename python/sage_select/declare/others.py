"""What other packages declare, and what of it had to be left out: a fault of one never stops the rest."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Final, NamedTuple

from sage_select.errors import SageError

__all__ = ["GROUPS", "VALUE_GROUPS", "LeftOut", "Owner", "entries", "notices", "owner_of", "place_in", "reason_of"]

#: How the groups of entry points begin in which packages name what they declare.
GROUPS: Final = "sage_select."
#: Groups whose entries are values, not classes of a registry; who reads one adds it.
VALUE_GROUPS: Final[set[str]] = set()
#: How many members a notice names.
_NAMED: Final = 3


class Owner(NamedTuple):
    """The distribution that declares something: what `pip` calls it, and its version; empty where nobody says."""

    name: str
    version: str


class LeftOut(NamedTuple):
    """A member that was left out.

    Attributes
    ----------
    kind, name
        What it is: strategy, longest.
    package
        Whose it is.
    reason
        Why, in one line.
    """

    kind: str
    name: str
    package: str
    reason: str


@cache
def entries() -> dict[str, list[metadata.EntryPoint]]:
    """Return what installed packages declare, by group, in the order of the packages' names."""
    found: dict[str, list[metadata.EntryPoint]] = {}
    for distribution in metadata.distributions():
        points = _ours(distribution)
        name = owner_of(points[0]).name if points else ""
        if points and name not in found:
            # Of two of one name the first on the path is the one that is imported.
            found[name] = _ours(_first(name) or distribution)
    groups: dict[str, list[metadata.EntryPoint]] = {}
    for _, points in sorted(found.items()):
        for point in sorted(points, key=lambda point: point.name):
            groups.setdefault(point.group, []).append(point)
    return groups


def _ours(distribution: metadata.Distribution) -> list[metadata.EntryPoint]:
    return [point for point in distribution.entry_points if point.group.startswith(GROUPS)]


def _first(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):  # one without metadata has no name to be found by
        return None


def owner_of(entry: metadata.EntryPoint) -> Owner:
    """Return the distribution of an entry point."""
    if entry.dist is None:
        return Owner(entry.value.partition(":")[0].partition(".")[0], "")
    return Owner(_name(entry.dist) or entry.value.partition(".")[0], _version(entry.dist))


def reason_of(error: BaseException, package: str) -> str:
    """Return why something of a package failed, in one line, with the place in its files where it did."""
    if isinstance(error, SageError):
        return "; ".join(line.strip() for line in str(error).split("\n"))
    said = str(error).strip().partition("\n")[0]
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return text + place_in(error, package)


def place_in(error: BaseException, package: str) -> str:
    """Return the file and line of a package, innermost, in which an error came up; empty where none did."""
    place = next((one for one in reversed(list(walk_tb(error.__traceback__))) if _is_of(one[0], package)), None)
    return "" if place is None else f" ({Path(place[0].f_code.co_filename).name}, line {place[1]})"


def notices(left_out: Iterator[LeftOut]) -> list[str]:
    """Return a line for each package and reason that something was left out for."""
    members: dict[tuple[str, str], list[str]] = {}
    for one in left_out:
        members.setdefault((one.package, one.reason), []).append(f"{one.kind} {one.name!r}")
    lines = []
    for (package, reason), names in members.items():
        named = names[:_NAMED] + ([f"{len(names) - _NAMED} more"] if len(names) > _NAMED else [])
        *others, last = named
        said, verb = (f"{', '.join(others)} and {last}", "are") if others else (last, "is")
        lines.append(f"{said} of the package {package} {verb} left out: {reason}")
    return lines


def _is_of(frame: FrameType, package: str) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == package


def _name(distribution: metadata.Distribution) -> str:
    try:
        return str(distribution.metadata["Name"] or "")
    except Exception:  # a folder without metadata has no name
        return ""


def _version(distribution: metadata.Distribution) -> str:
    try:
        return str(distribution.metadata["Version"] or "")
    except Exception:  # nor a version
        return ""
