"""A comparison as a page of HTML: verdicts first, then what they rest on."""

from __future__ import annotations

from sage_select.comparison.page.page import comparison_page

__all__ = ["comparison_page"]
