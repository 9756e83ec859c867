"""Files that list rows by their ids, one a line."""

from __future__ import annotations

from dataclasses import dataclass

from sage_select.errors import DataError, Where
from sage_select.io.source.opened import Input

__all__ = ["IdList", "read_id_list"]


@dataclass(frozen=True)
class IdList:
    """Ids with the places where they stand.

    Parameters
    ----------
    name
        What the list is called in messages.
    ids
        The ids, none twice.
    lines
        The line of each in its file, from 1; None for a list that is no file.
    """

    name: str
    ids: tuple[str, ...]
    lines: tuple[int, ...] | None = None

    def where(self, place: int) -> Where:
        """Return where the id at this place of the list stands."""
        return Where(file=self.name, line=None if self.lines is None else self.lines[place])


def read_id_list(source: Input) -> IdList:
    """Read a file of ids, one a line; empty lines are passed over.

    Raises
    ------
    UsageError
        Where there is no such file.
    DataError
        Where it is no UTF-8 text, or an id stands twice, naming the lines; or where it changed since it was first used.
    """
    path, data = source.name, source.at(0, source.size)
    source.check_unchanged()
    source.release()
    found: dict[str, int] = {}
    for line, raw in enumerate(data.split(b"\n"), start=1):
        try:
            text = raw.decode().strip("\r\ufeff" if line == 1 else "\r")
        except UnicodeDecodeError:
            raise DataError("the list of ids is not UTF-8 text", where=Where(file=path, line=line)) from None
        if not text:
            continue
        if text in found:
            raise DataError(
                f"the id {text[:80]!r} stands twice in the list",
                where=Where(file=path, line=line),
                expected="each id once",
                got=f"line {found[text]} has it already",
                hint="take one of the lines out",
            )
        found[text] = line
    return IdList(path, tuple(found), tuple(found.values()))
