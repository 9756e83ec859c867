"""The text of a plan: one line a stage."""

from __future__ import annotations

from sage_select.display import displayed
from sage_select.pipeline.pipeline import Pipeline
from sage_select.pipeline.plan.fingerprint import fingerprint

__all__ = ["explain"]


def explain(pipeline: Pipeline) -> str:
    """Return what `pipeline`, resolved, will do; reads no row and is the same on every machine.

    The text is safe to show: control characters of names are escaped, and URLs have no credentials.
    """
    lines = [(step.name, step.describe()) for step in pipeline.steps]
    lines += [("seed", str(pipeline.seed)), ("plan", fingerprint(pipeline))]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {displayed(text)}" for name, text in lines)
