"""The local engine: one process, all cores."""

from __future__ import annotations

from sage_select.engine.local.row_table import Writing
from sage_select.engine.local.run import finish, run
from sage_select.engine.local.scores import write_scores
from sage_select.engine.local.top import top
from sage_select.engine.local.vectors import VectorType, write_vectors
from sage_select.engine.local.why import why

__all__ = ["VectorType", "Writing", "finish", "run", "top", "why", "write_scores", "write_vectors"]
