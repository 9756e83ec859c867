"""What a selection with the answers of a teacher came to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sage_select.train.row_summary import DroppedRow

__all__ = ["TaughtRows"]


@dataclass(frozen=True)
class TaughtRows:
    """A selection with the answers of a teacher.

    Attributes
    ----------
    output
        The file.
    rows_in, rows
        Rows of the selection, and those that have an answer of the teacher.
    dropped
        The others, each with its reason.
    tokens
        Tokens of the answers that are kept.
    cached
        Whether it was there before.
    resumed_from
        Answers that an earlier call had asked for.
    """

    output: Path
    rows_in: int
    rows: int
    dropped: tuple[DroppedRow, ...]
    tokens: int
    cached: bool
    resumed_from: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "output": str(self.output), "dropped": [asdict(one) for one in self.dropped]}
