"""What the report of a selection is made of: a module for each section."""

from __future__ import annotations

from sage_select.report.selection.facts import Facts
from sage_select.report.selection.page import selection_page

__all__ = ["Facts", "selection_page"]
