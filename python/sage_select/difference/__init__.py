"""What differs between two selections, or between two specs, and what first made one another than the other."""

from __future__ import annotations

from sage_select.difference.causes import Cause, causes
from sage_select.difference.selections import Opened, compare_selections
from sage_select.difference.specs import Change, SpecDifference, compare_specs

__all__ = [
    "Cause",
    "Change",
    "Opened",
    "SpecDifference",
    "causes",
    "compare_selections",
    "compare_specs",
]
