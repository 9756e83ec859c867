"""Engines run a plan."""

from __future__ import annotations

from sage_select.engine.base import Outcome, Talk
from sage_select.engine.local import run, top, why

__all__ = ["Outcome", "Talk", "run", "top", "why"]
