"""Which rows of a replay buffer are drawn: one file a rule."""

from __future__ import annotations

from sage_select.replay.draws.rule import DRAWS, Drawn, DrawRule, draw_rule

__all__ = ["DRAWS", "DrawRule", "Drawn", "draw_rule"]
