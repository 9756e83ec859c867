"""What a build would take, before it runs: what its stages say they cost, added up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa
from pydantic import ValidationError

from sage_select.data import Dataset
from sage_select.engine.local.faults import faults_of
from sage_select.errors import ResourceError, UsageError
from sage_select.io.guards.memory import Limit, held, limits
from sage_select.io.output.target import preflight_output
from sage_select.kernels.call import resolve_threads
from sage_select.paths import streamed_end, user_path
from sage_select.pipeline import Cost, Pipeline, Run, Settings, Size, Stage
from sage_select.pipeline.plan import resolve, schedule
from sage_select.pipeline.run import Recorder, Silence
from sage_select.stages import Sink, Source

__all__ = ["Estimate", "StageEstimate", "estimate"]

#: Shares of the rows that are tried where all do not fit.
_SHARES: Final = (0.9, 0.75, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.001)


@dataclass(frozen=True)
class StageEstimate:
    """Bytes of the whole process at the height of a stage, its seconds, and the size after it; None where not known."""

    name: str
    memory: float | None
    seconds: float | None
    after: Size | None = None


@dataclass(frozen=True)
class Estimate:
    """What a build would take.

    Attributes
    ----------
    size
        The input.
    kept, kept_exact
        Rows after the last stage, and whether that is certain as far as it depends on no row that may leave.
    base
        Bytes that this process held before the first stage, as a build would.
    stages
        In the order in which they are worked on.
    addresses
        Bytes of address space, mapped files among them.
    limits
        What the build has to fit; none where the system tells of none.
    advice
        What would fit, where it does not.
    """

    size: Size
    kept: int
    kept_exact: bool
    base: int
    stages: tuple[StageEstimate, ...]
    addresses: float
    limits: tuple[Limit, ...]
    advice: tuple[str, ...] = ()

    @property
    def peak(self) -> StageEstimate:
        """The stage that needs the most memory, of those of which that is known."""
        return max(self.stages, key=lambda stage: stage.memory or 0.0)

    @property
    def unknown(self) -> list[str]:
        """The stages of which the memory is not known."""
        return [stage.name for stage in self.stages if stage.memory is None]

    @property
    def seconds(self) -> float | None:
        """Seconds in all; None where those of a stage are not known."""
        known = [stage.seconds for stage in self.stages if stage.seconds is not None]
        return sum(known) if len(known) == len(self.stages) else None

    def needed(self, limit: Limit) -> float:
        """Return the bytes that are needed of a limit."""
        return self.addresses if limit.of_addresses else self.peak.memory or 0.0

    @property
    def tightest(self) -> Limit | None:
        """The limit that leaves the least; None where there is none."""
        return min(self.limits, key=lambda limit: limit.bytes - self.needed(limit), default=None)

    @property
    def fits(self) -> bool | None:
        """Whether the build fits, as far as is known; None where no limit is known."""
        tightest = self.tightest
        return None if tightest is None else self.needed(tightest) <= tightest.bytes


def estimate(
    plan: Pipeline,
    *,
    force: bool = False,
    overwrite_foreign: bool = False,
    verify: bool = True,
    threads: int | None = None,
    within: Sequence[Limit] | None = None,
) -> Estimate:
    """Estimate a build from footers, headers and samples of its input; an input of up to 1 MiB is read.

    Parameters
    ----------
    plan
        The pipeline, as `plan.resolve` returned it.
    force, overwrite_foreign, verify, threads
        As of `run`.
    within
        The limits that it has to fit; None for those of this process.

    Raises
    ------
    SageError
        Where the build would be refused for what was read of it. That it does not fit is no error here: `fits` tells.
    """
    sink = plan.find(Sink)
    # What goes to standard output takes the place of nothing.
    if sink is not None and streamed_end(sink.path) is None:
        preflight_output(
            user_path(sink.path), plan.inputs(), force=force, overwrite_foreign=overwrite_foreign, writes=False
        )
    size = _size_of_input(plan, Run(schedule(plan), plan.seed, Recorder(Silence()), threads, verify))
    # What the samples took is no part of a build.
    pa.default_memory_pool().release_unused()
    found = _added_up(plan, size, tuple(limits() if within is None else within))
    return found if found.fits is not False else replace(found, advice=tuple(_advice(plan, found)))


def _size_of_input(plan: Pipeline, run: Run) -> Size:
    """Return how much there is to work on; rows are refused as a build would before anything costly runs."""
    source = plan.step(Source)
    found, data = source.estimate(run)
    rest = [step for step in run.steps if not isinstance(step, Source)]
    table = data.rows.table.nbytes if data.rows else 0
    row_bytes = found.table_bytes / max(1, found.rows)
    size = Size(
        n=found.rows,
        input_n=found.rows,
        exact=found.exact,
        row_bytes=row_bytes,
        word_bytes=data.texts.nbytes * row_bytes / max(1, table),
        threads=resolve_threads(run.threads),
        data=data,
        source=found,
    )
    if found.whole:
        _refuse_what_a_build_would(data, rest, run)
    for place, step in enumerate(rest):
        with faults_of(step):
            size = step.preview(data, replace(size, later=rest[place + 1 :]))
    return size


def _refuse_what_a_build_would(data: Dataset, steps: list[Stage], run: Run) -> None:
    """Prepare the stages up to the first that settles the rows, as a build does; no model is loaded."""
    end = next((place + 1 for place, step in enumerate(steps) if step.settles), len(steps))
    ready = [step for step in steps[:end] if not any(setting.kind == "model" for setting in step.inputs())]
    for step in ready:
        with faults_of(step):
            data = step.prepare(data, run)
    for step in ready:
        with faults_of(step):
            step.check(data, run)
    for step in ready:
        with faults_of(step):
            data = step.run(data, run) if step.given else data


def _added_up(plan: Pipeline, size: Size, known: tuple[Limit, ...]) -> Estimate:
    """Return what the stages say, each beside what those before it leave."""
    memory, addresses = held()
    steps, first, total = schedule(plan), size, Cost()
    told: list[StageEstimate] = []

    def add(name: str, cost: Cost | None, after: Size | None = None) -> None:
        nonlocal total
        number = 1 + sum(stage.name.split(" ")[0] == name for stage in told)
        name = name if number == 1 else f"{name} {number}"
        if cost is None:
            told.append(StageEstimate(name, None, None, after))
            return
        told.append(StageEstimate(name, memory + total.holds + cost.memory, cost.seconds, after))
        total = total.then(cost)

    for place, step in enumerate(steps):
        size = replace(size, later=steps[place + 1 :])
        with faults_of(step):
            cost = step.cost(size)
            if cost is not None and not isinstance(cost, Cost):
                raise TypeError(f"cost() returned {type(cost).__name__}, not a Cost or None")
            after = step.size_after(size)
        add(step.name, cost, after)
        size = replace(after, pool=size if step.chooses else size.pool)
        if step.effect == "adds" and not isinstance(step, Source):
            size = replace(size, exact=False)
    return Estimate(first, size.n, size.exact, memory, tuple(told), addresses + total.memory + total.mapped, known)


def _advice(plan: Pipeline, found: Estimate) -> Iterator[str]:
    """Yield what would fit: another member of a registry in the place of one of the plan, and then fewer rows."""

    def fits(other: Pipeline, size: Size) -> bool:
        try:
            tried = _added_up(other, size, found.limits)
        except ResourceError:  # what is not part of the plan, and of a package at fault, is no advice
            return False
        return bool(tried.fits) and not tried.unknown

    for text, other in _others(plan):
        if fits(other, found.size):
            yield text
    for share in _SHARES:
        rows = int(found.size.n * share)
        if rows and fits(plan, replace(found.size, n=rows, input_n=rows)):
            yield f"{rows:,} rows like these ({share:.1%})".replace(".0%", "%")
            return


def _others(plan: Pipeline) -> Iterator[tuple[str, Pipeline]]:
    """Yield the plans that differ in what one stage holds: `--objective kcenter`, with its options as by default."""
    for place, step in enumerate(plan.steps):
        for text, other in _with_other_members(step):
            steps = [*plan.steps[:place], other, *plan.steps[place + 1 :]]
            used = [one for one in steps if one.opens or not one.gives or _is_used(one, steps)]
            try:
                yield text, resolve(Pipeline(seed=plan.seed, steps=tuple(used)))
            except UsageError:
                continue


def _is_used(step: Stage, steps: list[Stage]) -> bool:
    return any(other.needs() & step.gives for other in steps)


def _with_other_members(step: Any) -> Iterator[tuple[str, Any]]:
    """Yield the same settings with another member in the place of one that they hold, those deepest within first."""
    for field, choice in type(step).choices().items():
        member: Settings = getattr(step, field)
        others = list(_with_other_members(member))
        others += [(f"--{field} {name}", kind) for name, kind in choice.registry.items() if name != member.name]
        for text, other in others:
            settings = {name: getattr(step, name) for name in step.model_fields_set}
            try:
                made = other() if isinstance(other, type) else other
                yield text, type(step)(**{**settings, field: made})
            except ValidationError:
                continue
