"""What the manifest of a selection says."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import Any

from sage_select import __version__
from sage_select.data import NOT_SELECTED, Cause
from sage_select.declare.registry import declared_elsewhere
from sage_select.engine.base import Finished
from sage_select.engine.local.output import counts_of, reasons_of
from sage_select.pipeline import Pipeline
from sage_select.pipeline.plan import fingerprint, node_keys
from sage_select.pipeline.run import Worked
from sage_select.stages import Source

__all__ = ["identity", "manifest_of"]

_LIBRARIES = ("faiss-cpu", "numpy", "pyarrow")


def identity(pipeline: Pipeline, inputs: Mapping[str, str]) -> str | None:
    """Return what names the result of this plan on these inputs under this version of the program; None if nothing can.

    That is so where a member of another package declares no version.
    """
    return node_keys(pipeline, inputs, __version__)[-1].key


def manifest_of(done: Finished) -> dict[str, Any]:
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
        for one, owner in declared_elsewhere(plan.steps)
    ]
    order = dict.fromkeys(data.reasons)
    added = {str(Cause(one.stage, one.reason)): one.n for one in data.additions}
    return {
        "program": {"name": "sage-select", "version": __version__},
        "fingerprint": identity(plan, inputs),
        "plan": fingerprint(plan),
        "spec": plan.to_dict(),
        **({"packages": packages} if packages else {}),
        "seed": plan.seed,
        "source": {"name": data.read.source, "demo": plan.step(Source).demo, "digest": data.read.digest},
        "inputs": dict(inputs),
        "nodes": _nodes(done, inputs),
        "shape": data.shape.to_dict(),
        "rows": {
            "in": data.input_n,
            **({"added": added} if added else {}),
            "kept": data.n,
            "dropped": dropped,
            "reasons": {reason: counted[reason] for reason in order if reason in counted},
        },
        "evidence": done.facts,
        "metrics": dict(done.metrics),
        "libraries": {name: metadata.version(name) for name in _LIBRARIES},
        "notices": list(done.notices),
    }


def _nodes(done: Finished, inputs: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return of each stage of the plan what names its result, and how many rows there were before and after it.

    `key` is null where nothing names it, and there are no rows where a stage does nothing.
    """
    found = []
    worked: dict[str, list[Worked]] = {}
    for one in done.run.worked:
        worked.setdefault(one.name, []).append(one)
    for step, (label, key) in zip(done.plan.steps, node_keys(done.plan, inputs, __version__), strict=True):
        parts = 0 if step.idle else len(step.parts())
        own, worked[step.name] = worked.get(step.name, [])[:parts], worked.get(step.name, [])[parts:]
        rows = {"rows_in": own[0].rows_in, "rows_out": own[-1].rows_out} if own else {}
        found.append({"stage": label, "key": key, **rows})
    return found
