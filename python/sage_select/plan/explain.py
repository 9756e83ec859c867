"""The text of a plan: one line a step."""

from __future__ import annotations

from sage_select.display import displayed
from sage_select.ops import Sink
from sage_select.plan.fingerprint import fingerprint
from sage_select.spec import Pipeline

__all__ = ["explain"]


def explain(pipeline: Pipeline) -> str:
    """Return what `pipeline`, resolved, will do; reads no row and is the same on every machine.

    The text is safe to show: control characters of names are escaped, and URLs have no credentials.
    """
    lines = [(step.name, step.describe()) for step in pipeline.steps]
    order = ("order", f"keyed shuffle, seed {pipeline.seed}")
    place = next((index for index, step in enumerate(pipeline.steps) if isinstance(step, Sink)), len(lines))
    lines.insert(place, order)
    lines.append(("plan", fingerprint(pipeline)))
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {displayed(text)}" for name, text in lines)
