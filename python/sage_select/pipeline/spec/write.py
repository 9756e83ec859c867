"""A pipeline as a spec: YAML or TOML that reads back as the same value."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from sage_select.pipeline.pipeline import Pipeline

__all__ = ["dump_yaml", "to_toml", "to_yaml"]


def to_yaml(pipeline: Pipeline) -> str:
    """Return the spec in YAML."""
    return dump_yaml(pipeline.to_dict())


def dump_yaml(value: Mapping[str, Any]) -> str:
    """Return plain values in YAML, in their order."""
    from ruamel.yaml import YAML

    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(dict(value), text)
    return text.getvalue()


def to_toml(pipeline: Pipeline) -> str:
    """Return the spec in TOML."""
    value = pipeline.to_dict()
    lines = [f"{key} = {_toml(value[key])}" for key in ("version", "seed")]
    for step in value["steps"]:
        ((name, settings),) = step.items()
        inside = ", ".join(f"{key} = {_toml(one)}" for key, one in settings.items())
        lines += ["", "[[steps]]", f"{name} = {{{inside}}}"]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """Return a plain value in TOML: text, numbers, truth values and lists are spelt as in JSON."""
    return json.dumps(value, ensure_ascii=False)
