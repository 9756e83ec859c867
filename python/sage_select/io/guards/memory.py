"""How much memory a build may take here: what the system, its control groups and the shell's limits leave."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sage_select.errors import UsageError
from sage_select.values.size import bytes_of

__all__ = ["Limit", "held", "limits", "row_budget"]

_ROOT: Final = Path("/")
#: A limit above this is none: version 1 of control groups writes 2^63 less a page.
_NONE: Final = 1 << 60


#: The share of memory that rows may take, unless `SAGE_MEMORY` says otherwise.
_SHARE: Final = 0.6


@dataclass(frozen=True)
class Limit:
    """A bound on what a process may take.

    Attributes
    ----------
    name
        What sets it.
    bytes
        What it allows a new process in the place of this one.
    of_addresses
        Whether it bounds the address space, with mapped files in it, rather than memory.
    """

    name: str
    bytes: int
    of_addresses: bool = False


def row_budget() -> float:
    """Return how many bytes of rows are held in memory; more are mapped from a file.

    That is `SAGE_MEMORY` (`2GB`, `512MiB`, `40%`), by default 60 % of what the tightest limit leaves.

    Raises
    ------
    UsageError
        `SAGE_MEMORY` is no such size.
    """
    tightest = min((limit.bytes for limit in limits()), default=float("inf"))
    named = os.environ.get("SAGE_MEMORY", "").strip()
    if not named:
        return _SHARE * tightest
    share = re.fullmatch(r"(\d+(?:\.\d+)?) ?%", named)
    if share is not None:
        return float(share[1]) / 100 * tightest
    size = bytes_of(named)
    if size is None:
        raise UsageError("SAGE_MEMORY is no size", expected="such as 2GB, 512MiB or 40%", got=repr(named))
    return size


def limits(root: Path = _ROOT) -> list[Limit]:
    """Return the limits that can be read, none where the system tells of none.

    Parameters
    ----------
    root
        Where `proc` and `sys` lie.
    """
    own, _ = held(root)
    found = []
    free = _number(root / "proc" / "meminfo", r"MemAvailable:\s+(\d+) kB", 1024)
    if free is not None:
        found.append(Limit("MemAvailable", free + own))
    found += [Limit(name, free + own) for name, free in _groups(root)]
    if (addresses := _number(root / "proc" / "self" / "limits", r"Max address space\s+(\d+)", 1)) is not None:
        found.append(Limit("RLIMIT_AS", addresses, of_addresses=True))
    return found


def held(root: Path = _ROOT) -> tuple[int, int]:
    """Return the bytes of memory, and of addresses, that this process holds; 0 where the system does not tell."""
    status = root / "proc" / "self" / "status"
    memory, addresses = (_number(status, rf"{name}:\s+(\d+) kB", 1024) for name in ("VmRSS", "VmSize"))
    return memory or 0, addresses or 0


def _groups(root: Path) -> list[tuple[str, int]]:
    """Return what each control group that this process is in leaves of its limit, up to the root of the hierarchy."""
    found = []
    mounts = root / "sys" / "fs" / "cgroup"
    for line in _text(root / "proc" / "self" / "cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, place = rest.partition(":")
        if number == "0" and not controllers:
            top, names, cache = mounts, ("memory.max", "memory.current"), "inactive_file"
        elif "memory" in controllers.split(","):
            top, names = mounts / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
            cache = "total_inactive_file"
        else:
            continue
        folder = top / place.lstrip("/")
        # Within a container the place may be that outside of it: then only the root can be seen.
        for group in (folder, *folder.parents):
            limit, usage = (_number(group / name, r"(\d+)", 1) for name in names)
            if limit is not None and limit < _NONE:
                # The cache of files can be dropped.
                held = (usage or 0) - (_number(group / "memory.stat", rf"^{cache} (\d+)", 1) or 0)
                name = f"/{group.relative_to(top)}".replace("/.", "/")
                found.append((f"the limit of control group {name}", max(0, limit - held)))
            if group == top:
                break
    return found


def _number(file: Path, pattern: str, unit: int) -> int | None:
    match = re.search(pattern, _text(file), re.MULTILINE)
    return int(match[1]) * unit if match else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
