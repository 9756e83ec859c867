"""The local engine: one process, all cores."""

from __future__ import annotations

from sage_select.engine.local.run import finish, run
from sage_select.engine.local.scores import write_scores
from sage_select.engine.local.top import top
from sage_select.engine.local.why import why

__all__ = ["finish", "run", "top", "why", "write_scores"]
