"""What rows are before anything is done with them: their shape, columns and kinds, and some as a trainer sees them."""

from __future__ import annotations

from sage_select.inspection.measure import Inspection, inspect
from sage_select.inspection.shown import Piece, ShownRow, shown_rows

__all__ = ["Inspection", "Piece", "ShownRow", "inspect", "shown_rows"]
