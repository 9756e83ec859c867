"""The local engine: one process, all cores."""

from __future__ import annotations

from sage_select.engine.local.run import run

__all__ = ["run"]
