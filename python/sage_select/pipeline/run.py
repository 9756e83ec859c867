"""What a stage is given beside the rows: who is told, what was handed over in place of files, and what comes later."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from sage_select.pipeline.stage import Stage

__all__ = ["GIVEN", "Recorder", "Reporter", "Run", "Silence"]

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
    """

    steps: Sequence[Stage]
    seed: int
    reporter: Recorder
    threads: int | None = None
    verify: bool = True
    values: Mapping[str, Any] = field(default_factory=dict)
    prepared: dict[int, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)

    def given(self, stage: Stage, setting: str) -> Any:
        """Return the value that a program handed over for a setting, or None."""
        stands = next((getattr(one, setting) for one in stage.members() if setting in type(one).model_fields), GIVEN)
        return self.values.get(f"{stage.name}.{setting}") if stands == GIVEN else None

    def tell(self, **facts: Any) -> None:
        """Take facts for the manifest."""
        self.told |= facts

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
