"""Engines run a plan."""

from __future__ import annotations

from sage_select.engine.base import Finished, Outcome
from sage_select.engine.local import finish, run, top, why, write_scores

__all__ = ["Finished", "Outcome", "finish", "run", "top", "why", "write_scores"]
