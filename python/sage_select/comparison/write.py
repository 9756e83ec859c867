"""The files of a comparison: figures as Arrow and JSON, and pages to read as Markdown and HTML."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from sage_select.comparison.markdown import markdown
from sage_select.comparison.page import comparison_page
from sage_select.comparison.result import Comparison
from sage_select.errors import ResourceError
from sage_select.io.commit.files import Files
from sage_select.io.commit.names import PageNames
from sage_select.io.commit.protocol import exclusive, publish
from sage_select.io.output.page import check_kind
from sage_select.io.output.parts import swept_on_failure, write_bytes
from sage_select.render.extras import require
from sage_select.report.page import Written, written

__all__ = ["ComparisonNames", "check_replaceable", "write_comparison"]

_HINT: Final = "move it elsewhere: a comparison writes its own there"


@dataclass(frozen=True)
class ComparisonNames(PageNames):
    """All names of what a comparison found, of which `target` is the page that is always there.

    Examples
    --------
    >>> [path.name for path in ComparisonNames.of(Path("out")).parts]
    ['comparison.md', 'comparison.arrow', 'comparison.html', 'comparison.figures', 'comparison.json']
    """

    @classmethod
    def of(cls, folder: Path) -> ComparisonNames:
        """Return the names in the folder of a comparison."""
        return cls(folder / "comparison.md")

    @property
    def manifest(self) -> Path:
        """All of it as JSON, the last part to get its name."""
        return self.target.with_suffix(".json")

    @property
    def table(self) -> Path:
        """A row for each arm, seed and metric."""
        return self.target.with_suffix(".arrow")

    @property
    def page(self) -> Path:
        """The page of HTML."""
        return self.target.with_suffix(".html")

    @property
    def parts(self) -> tuple[Path, ...]:
        """Everything that a reader may see, in the order in which it is named."""
        return self.target, self.table, self.page, self.figures, self.manifest


def check_replaceable(folder: Path) -> None:
    """Refuse, before anything is trained, what no comparison of before has written under the names of its files.

    Raises
    ------
    UsageError
        Where one of them is a device.
    OutputError
        Where one of them is a folder, or the folder of figures holds other things.
    """
    names = ComparisonNames.of(folder)
    for path in names.parts:
        if os.path.lexists(path):
            check_kind(names, path, _HINT)


def write_comparison(
    found: Comparison, *, notice: Callable[[str], None] | None = None, files: Files | None = None
) -> None:
    """Write its files into the folder, in place of those of an earlier call: all of them appear, or none does.

    Parameters
    ----------
    found
        The comparison.
    notice
        Told where there is no page of HTML, as the extra `report` is not installed; one of before is removed then.
    files
        The file operations to use.

    Raises
    ------
    OutputError
        As `check_replaceable`, or where another process writes them.
    OSError
        Where the folder cannot be written. What was there before is untouched.

    Notes
    -----
    The same comparison gives the same bytes. Drawing takes some seconds.
    """
    names, files = ComparisonNames.of(found.folder), Files() if files is None else files
    page = _page(found, notice)
    said = json.dumps(found.as_dict(), indent=2, ensure_ascii=False, default=str) + "\n"
    data = {names.target: markdown(found).encode(), names.table: _arrow(found.table())}
    if page is not None:
        data[names.page] = page.html.encode()
    with exclusive(names, files):
        check_replaceable(found.folder)
        with swept_on_failure(names, files):
            run = secrets.token_hex(8)
            parts = {}
            for path, content in (*data.items(), (names.manifest, said.encode())):
                draft = names.temporary(run, path.suffix[1:])
                write_bytes(content, draft, files)
                parts[draft] = path
            if page is not None and page.figures:
                folder = names.temporary(run, "figures")
                files.make_folder(folder)
                for name, figure in page.figures.items():
                    write_bytes(figure, folder / name, files)
                files.sync_folder(folder)
                parts[folder] = names.figures
            publish(names, run, parts, files)


def _page(found: Comparison, notice: Callable[[str], None] | None) -> Written | None:
    """Return the page and its figures; None where the extra is not installed, which is told."""
    try:
        for package in ("matplotlib", "jinja2"):
            require(package, "report")
    except ResourceError as error:
        if notice is not None:
            notice(f"no page of HTML is written: {error.message} ({error.hint})")
        return None
    return written(comparison_page(found))


def _arrow(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
