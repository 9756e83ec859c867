"""Selection from Python: `select`, `Pipeline`, and what they return."""

from __future__ import annotations

from sage_select.api.call import select
from sage_select.api.pipeline import Pipeline
from sage_select.api.selection import Selection

__all__ = ["Pipeline", "Selection", "select"]
