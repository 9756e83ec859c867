"""What the manifest of a selection says."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import Any

from sage_select import __version__
from sage_select.data import Cause
from sage_select.data.dataset import NOT_SELECTED
from sage_select.engine.base import Finished
from sage_select.engine.local.output import counts_of, reasons_of
from sage_select.pipeline import Pipeline
from sage_select.pipeline.plan import fingerprint
from sage_select.pipeline.registry import declared_elsewhere
from sage_select.stages import Source

__all__ = ["identity", "manifest_of"]

_LIBRARIES = ("faiss-cpu", "numpy", "pyarrow")


def identity(pipeline: Pipeline, inputs: Mapping[str, str]) -> str:
    """Return the fingerprint of this plan on these inputs under this version of the program."""
    return fingerprint(pipeline, inputs, __version__)


def manifest_of(done: Finished, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest, without what only the writer knows (the output's format, rows and digest).

    Where other packages declare what the plan holds, `packages` names them, so that whoever lacks one learns which.
    """
    data, plan = done.data, done.plan
    if data.read is None or data.shape is None:
        raise RuntimeError("only rows have a manifest")
    inputs = done.read_inputs()
    dropped = {str(cause): count for cause, count in data.lineage.counts().items()}
    if data.selected is not None:
        dropped.setdefault(str(Cause(data.selected.stage, NOT_SELECTED)), 0)
    counted = counts_of(reasons_of(data))
    packages = [
        {"kind": one.kind, "name": one.name, "package": owner.name, "version": owner.version}
        for one, owner in declared_elsewhere(plan)
    ]
    order = counted if data.selected is None else dict.fromkeys(reason for reason, _ in data.selected.reasons)
    return {
        "program": {"name": "sage-select", "version": __version__},
        "fingerprint": identity(plan, inputs),
        "plan": fingerprint(plan),
        "spec": plan.to_dict(),
        **({"packages": packages} if packages else {}),
        "seed": plan.seed,
        "source": {"name": data.read.source, "demo": plan.step(Source).demo, "digest": data.read.digest},
        "inputs": dict(inputs),
        "shape": data.shape.to_dict(),
        "rows": {
            "in": data.input_n,
            "kept": data.n,
            "dropped": dropped,
            "reasons": {reason: counted[reason] for reason in order if reason in counted},
        },
        "evidence": done.facts,
        "metrics": dict(metrics),
        "libraries": {name: metadata.version(name) for name in _LIBRARIES},
        "notices": list(done.notices),
    }
