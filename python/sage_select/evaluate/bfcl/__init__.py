"""Cases in the format of the Berkeley Function Calling Leaderboard: files of them, and rows made from them and back."""

from __future__ import annotations

from sage_select.evaluate.bfcl.case import CATEGORIES, Case, category_of
from sage_select.evaluate.bfcl.files import read_cases, write_cases
from sage_select.evaluate.bfcl.rows import COLUMN, accepted_in, case_of, row_of

__all__ = [
    "CATEGORIES",
    "COLUMN",
    "Case",
    "accepted_in",
    "case_of",
    "category_of",
    "read_cases",
    "row_of",
    "write_cases",
]
