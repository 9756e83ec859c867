"""The identity of a plan, and of what each of its stages makes of given inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from sage_select.cache import key_of
from sage_select.pipeline.pipeline import Pipeline
from sage_select.pipeline.stage import Stage
from sage_select.values.location import Reads, Writes

__all__ = ["NodeKey", "content_settings", "fingerprint", "node_keys"]


class NodeKey(NamedTuple):
    """A stage and what names its result: the same for the same result, wherever the inputs lie and when they were made.

    `key` is None from the first stage on that holds a member of another package without a version.
    """

    stage: str
    key: str | None


def fingerprint(pipeline: Pipeline) -> str:
    """Return 32 hex characters that name the plan: its seed, and the meaning and settings of each stage.

    The name of the output is no part of it, and neither are credentials.
    """
    steps = [[step.name, step.meanings(), step.identity()] for step in pipeline.steps]
    return key_of({"seed": pipeline.seed, "steps": steps})


def node_keys(pipeline: Pipeline, inputs: Mapping[str, str], version: str) -> list[NodeKey]:
    """Return the key of each stage of a resolved pipeline; that of the last names the result of a run.

    A key is made of the version of the program, the seed, the key of the stage before, what the stage means and how it
    is set, and the content of what it reads, by digests in place of names.

    Parameters
    ----------
    pipeline
        The resolved pipeline.
    inputs
        Input name -> content digest: `source`, `score.file`, `score 2.file`.
    version
        The version of the program that runs it.
    """
    found: list[NodeKey] = []
    counts: dict[str, int] = {}
    before: str | None = key_of([version, pipeline.seed])
    for step, label in zip(pipeline.steps, pipeline.labels(), strict=True):
        number = counts[step.name] = counts.get(step.name, 0) + 1
        prefix = step.name if number == 1 else f"{step.name} {number}"  # as `Pipeline.inputs` calls them
        read = {name: digest for name, digest in inputs.items() if name.partition(".")[0] == prefix}
        known = before is not None and all(member.versioned() for member in step.members())
        before = key_of([before, step.name, step.meanings(), content_settings(step), read]) if known else None
        found.append(NodeKey(label, before))
    return found


def content_settings(step: Stage) -> dict[str, Any]:
    """Return the settings by which the result of a stage is known, but for where what it reads lies.

    The ends of names stay, as they tell kinds of text apart, and so do the names of repositories.
    """

    def place(name: str, mark: Reads | Writes) -> str:
        if isinstance(mark, Writes) or mark.kind == "model":
            return ""
        return "".join(PurePath(name).suffixes[-2:])

    return step.relocated(place).identity()
