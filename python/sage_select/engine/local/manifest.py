"""What the manifest of a selection says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from sage_select import __version__
from sage_select.engine.frame import Frame
from sage_select.engine.local.output import NOT_SELECTED
from sage_select.ops import Source
from sage_select.plan import fingerprint
from sage_select.spec import Pipeline
from sage_select.strategies import Picks

__all__ = ["identity", "manifest_of"]

_LIBRARIES = ("faiss-cpu", "numpy", "pyarrow")


def identity(pipeline: Pipeline, inputs: Mapping[str, str]) -> str:
    """Return the fingerprint of this plan on these inputs under this version of the program."""
    return fingerprint(pipeline, inputs, __version__)


def manifest_of(
    pipeline: Pipeline,
    inputs: Mapping[str, str],
    frame: Frame,
    picks: Picks,
    metrics: Mapping[str, Any],
    notices: Sequence[str],
) -> dict[str, Any]:
    """Return the manifest, without what only the writer knows (the output's format, rows and digest)."""
    if frame.rows is None or frame.shape is None:
        raise RuntimeError("only rows have a manifest")
    source = pipeline.step(Source)
    kept = len(picks.indices)
    return {
        "program": {"name": "sage-select", "version": __version__},
        "fingerprint": identity(pipeline, inputs),
        "plan": fingerprint(pipeline),
        "spec": pipeline.to_dict(),
        "seed": pipeline.seed,
        "source": {"name": frame.rows.source, "demo": source.demo, "digest": frame.rows.digest},
        "inputs": dict(inputs),
        "shape": frame.shape.to_dict(),
        "rows": {
            "in": frame.input_n,
            "kept": kept,
            "dropped": {
                **{str(cause): count for cause, count in frame.lineage.counts().items()},
                **({"select: excluded": len(frame.excluded)} if len(frame.excluded) else {}),
                f"select: {NOT_SELECTED}": frame.n - len(frame.excluded) - kept,
            },
            "reasons": {reason: count for reason, count in picks.reasons if count},
        },
        "evidence": {**frame.evidence, **picks.evidence},
        "metrics": dict(metrics),
        "libraries": {name: metadata.version(name) for name in _LIBRARIES},
        "notices": list(notices),
    }
