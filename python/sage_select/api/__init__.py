"""Selection from Python: `select` and what it returns."""

from __future__ import annotations

from sage_select.api.call import select
from sage_select.api.selection import Selection

__all__ = ["Selection", "select"]
