"""What a stage is given beside the rows: who is told, what was handed over in place of files, and what comes later."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, runtime_checkable

from sage_select import __version__
from sage_select.cache import Blocks, Cache, HeldBlocks, compute_blocks

if TYPE_CHECKING:
    from sage_select.declare.settings import Settings
    from sage_select.pipeline.stage import Stage

__all__ = ["GIVEN", "Recorder", "Reporter", "Reused", "Run", "Silence", "StageReporter", "Worked"]

#: What stands in a plan for a value that a program handed over; the digests of such values are among the inputs.
GIVEN: Final = "<given>"


class Reporter(Protocol):
    """Who is told of progress and notices."""

    def notice(self, text: str) -> None:
        """Say something the user should know."""
        ...

    def progress(self, label: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Open a progress display; its callback takes (done, total)."""
        ...


@runtime_checkable
class StageReporter(Protocol):
    """A reporter who is told of stages as well."""

    def stage(
        self, name: str, state: Literal["started", "done", "cached"], rows: tuple[int | None, int | None]
    ) -> None:
        """Tell of a stage, or a part of one: its rows before and after it, as far as they are known."""
        ...


class Silence:
    """A reporter for whoever only wants to know whether something is refused."""

    def notice(self, text: str) -> None:
        """Say nothing."""

    def progress(self, _label: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Show nothing."""
        return nullcontext(lambda _done, _total: None)


class Recorder:
    """A reporter that passes everything on and holds the notices, for the manifest."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        """Hold the notice and pass it on."""
        self.notices.append(text)
        self._reporter.notice(text)

    def progress(self, label: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Open the progress display of the reporter behind."""
        return self._reporter.progress(label)

    def stage(
        self, name: str, state: Literal["started", "done", "cached"], rows: tuple[int | None, int | None]
    ) -> None:
        """Tell the reporter behind of a stage, where it wants to know."""
        if isinstance(self._reporter, StageReporter):
            self._reporter.stage(name, state, rows)


class Reused(NamedTuple):
    """How many rows of a stage had values in the cache, and of how many they were computed."""

    held: int = 0
    computed: int = 0


class Worked(NamedTuple):
    """A stage that was worked on: its name, and how many rows there were before and after it."""

    name: str
    rows_in: int
    rows_out: int


@dataclass
class Run:
    """One run of a plan.

    Attributes
    ----------
    steps
        The stages in the order in which they are worked on.
    seed
        The run seed; each stage derives the key of its own draws from it.
    reporter
        Who is told of progress and notices.
    threads
        Threads to use; None for `SAGE_THREADS` or all cores. No result depends on it.
    verify
        Refuse inputs that are outputs of this program and have been changed since they were written.
    values
        Setting -> the value that a program handed over in place of a file or column: `score.file`.
    prepared
        Stage -> what it made ready before anything costly ran.
    told
        Facts for the manifest, as stages and their members told them.
    cache
        Values that models computed before; None to compute all.
    reused
        Label of a stage -> what of its values was in the cache.
    rates
        Label of a stage -> how fast its model was, which is no part of any manifest: no two runs are alike in it.
    worked
        The stages that are done.
    share
        Makes of what gives values of blocks what shares them out among processes; None where there is one process.
    """

    steps: Sequence[Stage]
    seed: int
    reporter: Recorder
    threads: int | None = None
    verify: bool = True
    values: Mapping[str, Any] = field(default_factory=dict)
    prepared: dict[int, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    cache: Cache | None = None
    reused: dict[str, Reused] = field(default_factory=dict)
    rates: dict[str, str] = field(default_factory=dict)
    worked: list[Worked] = field(default_factory=list)
    share: Callable[[Blocks], Blocks] | None = None

    def given(self, stage: Stage, setting: str) -> Any:
        """Return the value that a program handed over for a setting, or None."""
        stands = next((getattr(one, setting) for one in stage.members() if setting in type(one).model_fields), GIVEN)
        return self.values.get(f"{stage.name}.{setting}") if stands == GIVEN else None

    def tell(self, **facts: Any) -> None:
        """Take facts for the manifest."""
        self.told |= facts

    def blocks(self, member: Settings, key: Callable[[int, int], str]) -> Blocks:
        """Return what gives a member of a stage its values of many rows, block by block, from the cache where it can.

        Parameters
        ----------
        member
            Who computes them, declared as `held`. Values of one of another package that declares no version are
            always computed.
        key
            Names the content of the rows from one number to before another.
        """
        if not member.held:
            raise TypeError(f"{member.label} has blocks of values, and is not declared as held=True")
        if self.cache is None or not member.versioned():
            return compute_blocks
        label = self.label_of(member)

        def count(rows: int, held: bool) -> None:
            before = self.reused.get(label, Reused())
            self.reused[label] = Reused(before.held + rows * held, before.computed + rows * (not held))

        who = {"kind": member.kind, "name": member.name, "version": member.version, "package": member.package()}
        blocks = HeldBlocks(self.cache, {**who, "program": __version__}, key, count)
        return blocks if self.share is None else self.share(blocks)

    def tell_rate(self, member: Settings, line: str) -> None:
        """Take how fast the model of a member of a stage was, in words."""
        if line:
            self.rates[self.label_of(member)] = line

    def label_of(self, member: Settings) -> str:
        """Return what reports call the stage that a member is of."""
        return self.label(next(step for step in self.steps if any(one is member for one in step.members())))

    def label(self, stage: Stage) -> str:
        """Return what reports call a stage: its name, and its number where several have it."""
        same = [step for step in self.steps if step.name == stage.name]
        place = next((number for number, step in enumerate(same, 1) if step is stage), 1)
        return stage.name if len(same) == 1 else f"{stage.name} {place}"

    def after(self, stage: Stage) -> list[Stage]:
        """Return the stages that come after this one."""
        place = next((index for index, step in enumerate(self.steps) if step is stage), -1)
        return list(self.steps[place + 1 :])

    def consumers(self, stage: Stage) -> list[Stage]:
        """Return the stages that use what this one gives: those after it, up to the next that gives the same."""
        found: list[Stage] = []
        for step in self.after(stage):
            if step.needs() & stage.gives:
                found.append(step)
            if step.gives & stage.gives:
                break
        return found
