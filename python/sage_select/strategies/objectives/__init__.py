"""Objectives of diversity, one a file."""

from __future__ import annotations

from sage_select.strategies.objectives.objective import OBJECTIVES, Found, Objective, objective

__all__ = ["OBJECTIVES", "Found", "Objective", "objective"]
