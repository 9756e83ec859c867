"""What a rule of drawing is: its options, and rows of the buffer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sage_select.declare.faults import fault
from sage_select.declare.registry import Registry
from sage_select.declare.settings import Settings
from sage_select.replay.rows import ReplayRows

__all__ = ["DRAWS", "DrawRule", "Drawn", "check_drawn", "draw_rule"]


@dataclass(frozen=True)
class Drawn:
    """Rows that were drawn.

    Attributes
    ----------
    rows
        int64: their numbers, in the order in which they were drawn.
    state
        What the rule wants to know at the next draw: a JSON object.
    """

    rows: NDArray[np.int64]
    state: Mapping[str, Any] = field(default_factory=dict)


class DrawRule(Settings):
    """A rule that draws rows of a buffer, none twice in one draw; fewer rows are the first of more."""

    def state_of(self, step: int) -> Mapping[str, Any]:
        """Return the state for a draw that somebody names by its number, rather than ask for the next one."""
        del step
        return {}

    @abstractmethod
    def draw(self, rows: ReplayRows, count: int, key: int, state: Mapping[str, Any], pass_key: int) -> Drawn:
        """Return rows of the buffer.

        Parameters
        ----------
        rows
            Those that may be drawn.
        count
            How many, from 0 to `rows.n`.
        key
            The key of this draw, another for each.
        state
            What the rule returned with the draw before; empty at first.
        pass_key
            A key that is the same for all draws of the buffer.
        """


#: All rules of drawing, by name.
DRAWS: Registry[DrawRule] = Registry("draw", "sage_select.replay.draws", DrawRule)
draw_rule = DRAWS.register


def check_drawn(drawn: Any, rule: DrawRule, rows: ReplayRows, count: int) -> None:
    """Refuse what a rule returned, where it is not as many different rows as it was to draw.

    Raises
    ------
    ResourceError
        As said: a fault of the rule.
    """
    found: Any = drawn.rows if isinstance(drawn, Drawn) else None
    whole = isinstance(found, np.ndarray) and found.shape == (count,) and found.dtype.kind in "iu"
    if not whole or (count and (found.min() < 0 or found.max() >= rows.n or _marked(found, rows.n) < count)):
        raise fault(
            rule,
            "did not draw rows of the buffer",
            expected=f"{count:,} different whole numbers from 0 to below {rows.n:,}",
            got=f"{found.dtype} of shape {found.shape}" if isinstance(found, np.ndarray) else type(drawn).__name__,
        )


def _marked(rows: NDArray[np.int64], n: int) -> int:
    """Return how many of n rows are named: faster than sorting or hashing their numbers."""
    marks = np.zeros(n, np.bool_)
    marks[rows] = True
    return int(np.count_nonzero(marks))
