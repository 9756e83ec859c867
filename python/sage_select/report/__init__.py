"""Reports: one page of HTML that needs nothing beside it, with its figures as PNG files in a folder.

A page is a list of sections, and a section a list of blocks (`blocks`): paragraphs, tables, figures, and the reasons
why something is not shown. `page` writes any such page, `charts` draws what figures hold, and `selection` says what the
report of a selection is made of.
"""

from __future__ import annotations

from sage_select.report.write import Report, write_report

__all__ = ["Report", "write_report"]
