"""What differs between two specs, once all that they leave open is decided: stages, and keys of stages."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sage_select.errors import SageError
from sage_select.pipeline import Pipeline
from sage_select.pipeline.plan import content_settings
from sage_select.pipeline.spec import load_spec

__all__ = ["Change", "SpecDifference", "compare_specs"]


@dataclass(frozen=True)
class Change:
    """A key whose value differs.

    Attributes
    ----------
    stage
        Whose it is: `select`, of several the second `select 2`; empty for the seed.
    key
        The key.
    a, b
        Its values; None where it is not there, or counts for nothing.
    counts
        Whether the result depends on it; None where a stage is not installed here, so that nobody knows.
    """

    stage: str
    key: str
    a: Any
    b: Any
    counts: bool | None


@dataclass(frozen=True)
class SpecDifference:
    """What differs between two specs.

    Attributes
    ----------
    changes
        Keys whose values differ, in the order of the stages, the seed first.
    removed, added, moved
        Stages that only the first has, that only the second has, and that stand elsewhere among those of both.
    stages
        All stages of both: those of the second in their order, each that only the first has behind the one before it.
    """

    changes: list[Change]
    removed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.changes or self.removed or self.added or self.moved)


def compare_specs(a: Mapping[str, Any], b: Mapping[str, Any]) -> SpecDifference:
    """Return what differs between two specs, as `Pipeline.to_dict()` gives them of resolved pipelines.

    One that this version cannot read, as where a package is not installed, is compared as it is written.
    """
    one, two = _read(a), _read(b)
    first, second = _stages(a if one is None else one.to_dict()), _stages(b if two is None else two.to_dict())
    identities = None if one is None or two is None else (_identities(one), _identities(two))
    changes = [] if a.get("seed") == b.get("seed") else [Change("", "seed", a.get("seed"), b.get("seed"), True)]
    both = [name for name in second if name in first]
    for name in both:
        keys = dict.fromkeys([*first[name], *second[name]])
        changes += [
            Change(name, key, first[name].get(key), second[name].get(key), _counts(identities, name, key))
            for key in keys
            if first[name].get(key) != second[name].get(key)
        ]
    return SpecDifference(
        changes,
        [name for name in first if name not in second],
        [name for name in second if name not in first],
        _moved([name for name in first if name in second], both),
        _merged(list(first), list(second)),
    )


def _read(spec: Mapping[str, Any]) -> Pipeline | None:
    try:
        return load_spec(spec)
    except SageError:
        return None


def _stages(spec: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings of each stage by its name, with a number from the second that is called alike on."""
    found: dict[str, dict[str, Any]] = {}
    for step in spec.get("steps", ()):
        ((name, settings),) = step.items()
        found[_numbered(found, name)] = dict(settings or {})
    return found


def _identities(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """Return of each stage the settings by which its result is known."""
    found: dict[str, dict[str, Any]] = {}
    for step in pipeline.steps:
        found[_numbered(found, step.name)] = content_settings(step)
    return found


def _numbered(known: Mapping[str, Any], name: str) -> str:
    number = 1 + sum(one == name or one.startswith(f"{name} ") for one in known)
    return name if number == 1 else f"{name} {number}"


def _counts(
    identities: tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]] | None, name: str, key: str
) -> bool | None:
    if identities is None:
        return None
    one, two = identities[0][name], identities[1][name]
    # What a stage is known by need not be called as its keys are.
    return one.get(key) != two.get(key) if key in one or key in two else one.keys() != two.keys()


def _moved(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Return the fewest names without which both sequences, of the same names, stand in the same order."""
    places = {name: place for place, name in enumerate(before)}
    tails: list[int] = []
    chains: list[list[str]] = []
    for name in after:
        length = bisect.bisect_left(tails, places[name])
        chain = [*(chains[length - 1] if length else []), name]
        tails[length : length + 1] = [places[name]]
        chains[length : length + 1] = [chain]
    stays = set(chains[-1]) if chains else set()
    return [name for name in after if name not in stays]


def _merged(first: Sequence[str], second: Sequence[str]) -> list[str]:
    found = list(second)
    for place, name in enumerate(first):
        if name not in found:
            found.insert(found.index(first[place - 1]) + 1 if place else 0, name)
    return found
