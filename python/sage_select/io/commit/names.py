"""The names around an output: its parts beside it, and the hidden files of the commit protocol."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OutputNames", "PageNames"]


@dataclass(frozen=True)
class OutputNames:
    """All names that belong to the output `target`, all in its folder."""

    target: Path

    @property
    def folder(self) -> Path:
        """The folder that holds the output."""
        return self.target.parent

    @property
    def manifest(self) -> Path:
        """The manifest, the last part to get its name."""
        return self.folder / f"{self.target.name}.manifest.json"

    @property
    def row_report(self) -> Path:
        """The row report."""
        return self.folder / f"{self.target.name}.rows.parquet"

    @property
    def parts(self) -> tuple[Path, ...]:
        """Everything that a reader may see, in the order in which it is named: the output first, its manifest last."""
        return self.target, self.row_report, self.manifest

    @property
    def lock(self) -> Path:
        """The file that carries the lock of the operating system."""
        return self.folder / f".{self.target.name}.lock"

    @property
    def record(self) -> Path:
        """The commit record."""
        return self.folder / f".{self.target.name}.commit"

    def temporary(self, run: str, part: str) -> Path:
        """Return the name of a temporary of the run `run` (16 hex digits)."""
        return self.folder / f".{self.target.name}.tmp-{run}.{part}"

    def is_temporary(self, name: str) -> bool:
        """Tell whether a file name is that of a temporary of this output, and of no other.

        Examples
        --------
        >>> names = OutputNames(Path("out"))
        >>> names.is_temporary(".out.tmp-0123456789abcdef.data")
        True
        >>> names.is_temporary(".out.arrow.tmp-0123456789abcdef.data")
        False
        """
        return re.fullmatch(rf"\.{re.escape(self.target.name)}\.tmp-[0-9a-f]{{16}}\.[a-z]+", name) is not None

    def temporaries(self) -> list[Path]:
        """Return the temporaries that lie in the folder now."""
        with os.scandir(self.folder) as entries:
            return sorted(self.folder / entry.name for entry in entries if self.is_temporary(entry.name))


@dataclass(frozen=True)
class PageNames(OutputNames):
    """All names that belong to a page: its figures lie in a folder beside it.

    Examples
    --------
    >>> [path.name for path in PageNames(Path("report.html")).parts]
    ['report.html', 'report.figures', 'report.html.manifest.json']
    """

    @property
    def figures(self) -> Path:
        """The folder of its figures."""
        return self.folder / f"{self.target.stem}.figures"

    @property
    def parts(self) -> tuple[Path, ...]:
        """Everything that a reader may see, in the order in which it is named."""
        return self.target, self.figures, self.manifest
