"""The constraints of a selection: its budget, its quota, the rows pinned and those excluded, all at once."""

from __future__ import annotations

from sage_select.strategies.constraints.constraints import Constraints
from sage_select.strategies.constraints.request import request_of
from sage_select.strategies.constraints.verify import check_picks, verify_picks

__all__ = ["Constraints", "check_picks", "request_of", "verify_picks"]
