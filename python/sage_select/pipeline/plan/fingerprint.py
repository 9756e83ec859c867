"""The identity of a plan, and of a run of it on given inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from sage_select.pipeline.pipeline import Pipeline

__all__ = ["fingerprint"]


def fingerprint(pipeline: Pipeline, inputs: Mapping[str, str] | None = None, version: str = "") -> str:
    """Return 32 hex characters that name the plan and, where given, the content of its inputs.

    The name of the output is no part of it, and neither are credentials; the meaning of each stage and of what it holds
    (`version`) is. What a URL led to is among the inputs.

    Parameters
    ----------
    pipeline
        The resolved pipeline.
    inputs
        Input name -> content digest.
    version
        The version of the program that runs it.
    """
    identity = {
        "seed": pipeline.seed,
        "steps": [[step.name, step.meanings(), step.identity()] for step in pipeline.steps],
        "inputs": dict(inputs or {}),
        "version": version,
    }
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
