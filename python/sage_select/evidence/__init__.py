"""What a selection is like beside random rows: coverage, duplicates, scores, lengths, groups.

Arrays go in, plain values come out; `measure` puts all of it together, and `verdict` says what it amounts to.
"""

from __future__ import annotations

from sage_select.evidence.comparison import Comparison
from sage_select.evidence.measure import measure

__all__ = ["Comparison", "measure"]
