"""What a build would do, stage by stage, as far as can be said before it: nothing of its inputs need be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sage_select import io
from sage_select.cache import Holding, holdings
from sage_select.declare.registry import unversioned
from sage_select.display import is_url
from sage_select.engine.local.estimate import Estimate, StageEstimate
from sage_select.errors import SageError, UsageError
from sage_select.io.source.named import absence
from sage_select.paths import user_path
from sage_select.pipeline import Pipeline, Settings, Stage
from sage_select.pipeline.plan import fingerprint, schedule
from sage_select.pipeline.run import GIVEN
from sage_select.pipeline.stage import FEATURES
from sage_select.render.model_files import is_local
from sage_select.stages import Sink

__all__ = ["PlannedStage", "missing_inputs", "planned_stages", "state_of_output"]


@dataclass(frozen=True)
class PlannedStage:
    """A stage in the order in which it is worked on.

    Attributes
    ----------
    name
        What reports call it.
    does
        What it does, in a line.
    needs, adds
        The features of rows that it needs, and what it adds to them: name -> type of each row.
    cache
        `computed` (each time), `held` (some of its values are), `not held` (they would be) or `no version`.
    blocks
        How many blocks of values are held of what it names; their rows may be others.
    estimate
        Its memory and seconds, and the rows after it; None where the inputs are not there.
    """

    name: str
    does: str
    needs: Mapping[str, str]
    adds: Mapping[str, str]
    cache: str
    blocks: int
    estimate: StageEstimate | None


def planned_stages(plan: Pipeline, found: Estimate | None, cache: Path | None) -> list[PlannedStage]:
    """Return the stages of a resolved pipeline in the order in which they are worked on.

    Parameters
    ----------
    plan
        The resolved pipeline.
    found
        What it would take, where that can be told.
    cache
        The cache that it would use; only the names and sizes of its files are looked at.
    """
    held = [] if cache is None else holdings(cache)
    estimates = {} if found is None else {one.name: one for one in found.stages}
    stages: list[PlannedStage] = []
    steps = schedule(plan)
    for place, step in enumerate(steps):
        number = 1 + sum(one.name.split(" ")[0] == step.name for one in stages)
        name = step.name if number == 1 else f"{step.name} {number}"
        own = estimates.get(name)
        state, blocks = _cached(step, held)
        stages.append(
            PlannedStage(
                name,
                step.describe(),
                _typed(step.needs(), own),
                _added(step, steps[place + 1 :], own),
                state,
                blocks,
                own,
            )
        )
    return stages


def _typed(features: frozenset[str], own: StageEstimate | None) -> dict[str, str]:
    """Return features with their types; that of vectors has their width, where it is known."""
    width = own.after.d if own is not None and own.after is not None else 0
    types = {**FEATURES, **({"vectors": f"float32[{width}]"} if width else {})}
    return {name: types.get(name, "") for name in sorted(features)}


def _added(step: Stage, later: Sequence[Stage], own: StageEstimate | None) -> dict[str, str]:
    """Return what a stage adds to rows: of the source, which reads them, what a later one needs."""
    needed = frozenset[str]().union(*(one.needs() for one in later))
    return _typed((step.gives & needed if step.opens else step.gives) | step.marks(), own)


def _cached(step: Stage, held: list[Holding]) -> tuple[str, int]:
    """Return what the cache has of a stage, and in how many blocks."""
    members = list(step.members())
    if not all(member.versioned() for member in members):
        return "no version", 0
    computing = [member for member in members if member.held]
    if not computing:
        return "computed", 0
    blocks = sum(one.blocks for member in computing for one in held if _is_of(one.identity, member))
    return ("held" if blocks else "not held"), blocks


def _is_of(identity: Mapping[str, Any], member: Settings) -> bool:
    labels = {setting.value for setting in member.inputs()}
    own = {"kind": member.kind, "name": member.name, "version": member.version, "package": member.package()}
    named = not labels or identity.get("label") in labels
    return named and all(identity.get(key) == value for key, value in own.items())


def missing_inputs(plan: Pipeline) -> list[str]:
    """Return a line for each input of which nothing can be known before a build: it is not there, or elsewhere."""
    lines = []
    for setting in plan.inputs():
        if setting.value == GIVEN:
            continue
        if setting.kind == "model":
            if (error := _no_model(setting.value)) is not None:
                lines.append(f"{setting.value}: {error.message}")
        elif setting.value == "-":
            lines.append("standard input is read by a build alone")
        elif is_url(setting.value):
            lines.append(f"{setting.value} is fetched by a build alone")
        elif (error := absence(setting.value)) is not None:
            hint = f" ({error.hint})" if error.hint else ""
            lines.append(f"{setting.value}: {error.message}{hint}")
    return lines


def _no_model(name: str) -> UsageError | None:
    """Return why a name is that of no model, as far as can be told without a network."""
    try:
        is_local(name)
    except UsageError as error:
        return error
    return None


def state_of_output(plan: Pipeline) -> str:
    """Return what lies where the output of a resolved pipeline would be written, and what that means for a build."""
    sink = plan.find(Sink)
    if sink is None:
        return "nothing is written"
    target = user_path(sink.path)
    if not target.exists():
        return "is not there yet"
    without = unversioned(plan.steps)
    if without:
        return f"is there; {without[0]} declares no version, so that it is made anew (with --force)"
    try:
        manifest = io.read_manifest(target)
    except SageError:
        manifest = None
    if manifest is None:
        return "is there, and no output of sage-select: --force --overwrite-foreign replaces it"
    if manifest.get("plan") == fingerprint(plan):
        return "is there, made by this plan: a build that finds its inputs unchanged does nothing"
    return "is there, made by another plan: --force replaces it"
