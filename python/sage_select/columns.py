"""The column contract: the `sage_` columns of every output, their meaning and order.

Types are named as Arrow type strings so that this module imports nothing; `io` turns them into a schema.
"""

from __future__ import annotations

from typing import Final

__all__ = ["COLUMNS", "PARENT", "PREFIX", "SOURCE", "Origin", "Reason"]

PREFIX: Final = "sage_"
#: The file that a row came from; there where several were read, among the input's own columns.
SOURCE: Final = "sage_source"
#: The id of the row that a row was made of, in this run or an earlier one.
PARENT: Final = "sage_parent_id"

#: name -> (Arrow type, nullable); always all written, in this order, after the input's own columns.
COLUMNS: Final[dict[str, tuple[str, bool]]] = {
    "sage_row_id": ("string", False),
    "sage_origin": ("string", False),
    "sage_parent_id": ("string", True),
    "sage_reason": ("string", False),
    "sage_rank": ("int64", False),
    "sage_score": ("float32", True),
    "sage_gain": ("float32", True),
    "sage_position": ("int64", False),
    "sage_phase": ("int32", True),
    "sage_weight": ("float32", False),
}


class Origin:
    """Values of `sage_origin`."""

    SELECTED: Final = "selected"
    AUGMENTED: Final = "augmented"
    REPLAY: Final = "replay"
    #: With the answer of a teacher in place of its own.
    TAUGHT: Final = "taught"


class Reason:
    """Values of `sage_reason`: which rule picked the row."""

    SCORE: Final = "score"
    DIVERSITY: Final = "diversity"
    RANDOM: Final = "random"
    UNCERTAINTY: Final = "uncertainty"
    BADGE: Final = "badge"
    TARGET: Final = "target"
    PINNED: Final = "pinned"
    ALL: Final = "all"
