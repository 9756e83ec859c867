"""The JSON schema of a spec, derived from what stages and their members declare."""

from __future__ import annotations

from typing import Any

from sage_select.pipeline.pipeline import SPEC_VERSION
from sage_select.pipeline.spec.keys import keys_of
from sage_select.pipeline.stage import STAGES, Stage

__all__ = ["json_schema"]


def json_schema() -> dict[str, Any]:
    """Return the schema of a spec (JSON Schema 2020-12), by which an editor completes and checks YAML and TOML.

    It knows every key, type, bound and default, but not which options go together: that is checked when a spec is read.
    """
    steps = [
        {
            "type": "object",
            "description": stage.summary(),
            "properties": {
                name: {"type": ["object", "null"], "properties": _properties(stage), "additionalProperties": False}
            },
            "required": [name],
            "additionalProperties": False,
        }
        for name, stage in STAGES.items()
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A pipeline of sage-select",
        "type": "object",
        "properties": {
            "version": {"const": SPEC_VERSION, "description": "the version of what specs may say"},
            "seed": {"type": "integer", "minimum": 0, "default": 0, "description": "same seed, same rows"},
            "steps": {"type": "array", "minItems": 1, "items": {"oneOf": steps}},
        },
        "required": ["version", "steps"],
        "additionalProperties": False,
    }


def _properties(stage: type[Stage]) -> dict[str, Any]:
    return {key.name: key.property() for key in keys_of(stage)}
