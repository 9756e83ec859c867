"""A pipeline as a value, and its spelling in YAML, TOML and plain dictionaries."""

from __future__ import annotations

from sage_select.spec.load import find_spec, load_spec
from sage_select.spec.pipeline import Pipeline

__all__ = ["Pipeline", "find_spec", "load_spec"]
