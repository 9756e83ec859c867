"""Uniform: every row as likely as any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sage_select import kernels
from sage_select.replay.draws.rule import Drawn, DrawRule, draw_rule
from sage_select.replay.rows import ReplayRows

__all__ = ["Uniform"]


@draw_rule("uniform", place=10)
class Uniform(DrawRule):
    """Every row as likely as any other, none twice in one draw.

    The rows of the smallest hashes of the draw and the id.
    """

    def draw(self, rows: ReplayRows, count: int, key: int, state: Mapping[str, Any], pass_key: int) -> Drawn:
        """Return the rows of the smallest hashes."""
        del pass_key
        return Drawn(kernels.reservoir_of_words(key, rows.words, count)[0], state)
