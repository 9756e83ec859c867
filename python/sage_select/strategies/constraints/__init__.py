"""What a selection must keep: its budget, its quota, the rows pinned and those excluded, all at once."""

from __future__ import annotations

from sage_select.strategies.constraints.kept import check_kept
from sage_select.strategies.constraints.request import wish_of

__all__ = ["check_kept", "wish_of"]
