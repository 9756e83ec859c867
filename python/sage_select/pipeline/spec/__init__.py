"""The spelling of a pipeline in YAML, TOML and plain dictionaries."""

from __future__ import annotations

from sage_select.pipeline.spec.load import find_spec, load_spec

__all__ = ["find_spec", "load_spec"]
