"""What stages after one that adds rows may need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sage_select.errors import UsageError
from sage_select.pipeline.stage import Stage

__all__ = ["refuse_unknown_features"]

#: What rows that come later have as well as those before.
_KNOWN: Final = frozenset({"contents", "texts"})


def refuse_unknown_features(adding: Stage, later: Sequence[Stage], hint: str) -> None:
    """Refuse stages after one that adds rows which need of all rows what only those before have; say what to do.

    Raises
    ------
    UsageError
        As said.
    """
    known = set(_KNOWN)
    for step in later:
        missing = sorted(step.needs() - known)
        if missing:
            raise UsageError(
                f"{step.name} comes after {adding.name} and needs {missing[0]}, "
                "which the rows that it adds do not have",
                expected=f"{missing[0]} that are computed after {adding.name}",
                hint=hint,
            )
        known |= frozenset() if step.given else step.gives
