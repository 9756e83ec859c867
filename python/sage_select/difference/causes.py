"""Why two results are not one: the parts of their identity that differ, in the order in which a pipeline meets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sage_select.difference.specs import SpecDifference

__all__ = ["Cause", "causes"]

_NOTHING: Final[Mapping[str, str]] = {}


@dataclass(frozen=True)
class Cause:
    """A part of the identity of a result that differs: it alone would have a result made anew.

    Attributes
    ----------
    stage
        The first stage that it concerns; empty where it concerns all.
    component
        What it is: the `version` of the program, the `seed`, a stage that is `removed`, `added` or `moved`, one of its
        `settings`, the content of an `input`, or the `meaning` of a stage: its version, or that of its package.
    name
        The setting or the input.
    a, b
        Both values: of inputs digests.
    """

    stage: str
    component: Literal["version", "seed", "removed", "added", "moved", "settings", "input", "meaning"]
    name: str = ""
    a: Any = None
    b: Any = None


def causes(
    specs: SpecDifference, a: Mapping[str, Any] | None = None, b: Mapping[str, Any] | None = None
) -> list[Cause]:
    """Return why a cache does not hold the second result where it holds the first; none where it would.

    Parameters
    ----------
    specs
        What differs between the two resolved specs.
    a, b
        The manifests of both results; without them versions and inputs are unknown, and taken for equal.
    """
    found: list[Cause] = []
    versions = [(one or {}).get("program", {}).get("version") for one in (a, b)]
    if a and b and versions[0] != versions[1]:
        found.append(Cause("", "version", "", *versions))
    inputs = [(one or {}).get("inputs", _NOTHING) if a and b else _NOTHING for one in (a, b)]
    changes = [one for one in specs.changes if one.counts is not False]
    found += [Cause("", "seed", "seed", one.a, one.b) for one in changes if not one.stage]
    for stage in specs.stages:
        for component, names in (("removed", specs.removed), ("added", specs.added), ("moved", specs.moved)):
            found += [Cause(stage, component) for name in names if name == stage]  # type: ignore[arg-type]
        found += [Cause(stage, "settings", one.key, one.a, one.b) for one in changes if one.stage == stage]
        named = dict.fromkeys(name for one in inputs for name in one if name.partition(".")[0] == stage)
        found += [
            Cause(stage, "input", name, inputs[0].get(name), inputs[1].get(name))
            for name in named
            if inputs[0].get(name) != inputs[1].get(name)
        ]
    if not found and a and b and a["fingerprint"] != b["fingerprint"]:
        found.append(_of_meaning(a, b))
    return found


def _of_meaning(a: Mapping[str, Any], b: Mapping[str, Any]) -> Cause:
    """Return the cause that is left: a stage means something else, here or in another package."""
    nodes = zip(a.get("nodes", ()), b.get("nodes", ()), strict=False)
    stage = next((one["stage"] for one, other in nodes if one["key"] != other["key"]), "")
    packages = [
        {f"{one['kind']} {one['name']}": f"{one['package']} {one['version']}" for one in manifest.get("packages", ())}
        for manifest in (a, b)
    ]
    for name in dict.fromkeys([*packages[0], *packages[1]]):
        if packages[0].get(name) != packages[1].get(name):
            return Cause(stage, "meaning", name, packages[0].get(name), packages[1].get(name))
    return Cause(stage, "meaning", ", ".join(packages[1]))
