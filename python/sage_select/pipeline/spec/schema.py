"""The JSON schema of a spec, derived from what stages and their members declare."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sage_select.pipeline.option import option_of
from sage_select.pipeline.pipeline import SPEC_VERSION
from sage_select.pipeline.settings import Choice
from sage_select.pipeline.stage import STAGES

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
                name: {"type": ["object", "null"], "properties": _settings(stage), "additionalProperties": False}
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
            "version": {"const": SPEC_VERSION},
            "seed": {"type": "integer", "minimum": 0, "default": 0},
            "steps": {"type": "array", "minItems": 1, "items": {"oneOf": steps}},
        },
        "required": ["version", "steps"],
        "additionalProperties": False,
    }


def _settings(stage: Any) -> dict[str, Any]:
    return {name: _property(info) for name, info in stage.options().items()}


def _property(info: FieldInfo) -> dict[str, Any]:
    choice = next((mark for mark in info.metadata if isinstance(mark, Choice)), None)
    if choice is not None:
        return {"enum": list(choice.registry), "default": choice.default, "description": choice.help}
    option = option_of(info)
    try:
        # The annotation with its bounds; what is text in a spec, and parsed, has no schema of its own.
        kind: dict[str, Any] = TypeAdapter(_with_bounds(info)).json_schema()
    except PydanticInvalidForJsonSchema:
        kind = {"type": ["string", "number"]}
    kind.pop("title", None)
    if option is not None:
        kind["description"] = option.help
    if info.default is not PydanticUndefined and info.default is not None:
        kind["default"] = info.default if isinstance(info.default, str | int | float | bool) else str(info.default)
    return kind


def _with_bounds(info: FieldInfo) -> Any:
    return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
