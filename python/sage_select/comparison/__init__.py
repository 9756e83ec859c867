"""Methods compared: each trained on as many tokens, its own adapter evaluated on the same rows, beside its control."""

from __future__ import annotations

from sage_select.comparison.compare import compare
from sage_select.comparison.result import Comparison

__all__ = ["Comparison", "compare"]
