"""How a thing is declared once: options, settings as frozen values, and the registries that hold what there is."""

from __future__ import annotations

from sage_select.declare.option import Option
from sage_select.declare.registry import Registry
from sage_select.declare.settings import Choice, Settings

__all__ = ["Choice", "Option", "Registry", "Settings"]
