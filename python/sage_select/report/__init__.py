"""Reports: one page of HTML that needs nothing beside it, with its figures as PNG files in a folder.

A page is a list of sections, and a section a list of blocks (`blocks`): paragraphs, tables, figures, and the reasons
why something is not shown. `page` writes any such page, `charts` draws what figures hold, and `selection` says what the
report of a selection is made of.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sage_select.report.write import Report, write_report

__all__ = ["Report", "write_report"]


def __getattr__(name: str) -> object:
    # Pages of other reports need no stage and no encoder.
    if name not in __all__:
        raise AttributeError(f"module 'sage_select.report' has no attribute {name!r}")
    return getattr(import_module("sage_select.report.write"), name)
