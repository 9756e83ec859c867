"""What an engine is, and what a run of it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sage_select.data import Dataset
from sage_select.pipeline import Pipeline, Run
from sage_select.pipeline.run import Reused, Worked

__all__ = ["Finished", "Outcome"]


@dataclass(frozen=True)
class Finished:
    """The rows after the last stage, and what led to them.

    Attributes
    ----------
    plan
        The resolved pipeline.
    data
        The rows.
    read_inputs
        Function to name -> digest of everything that was read or handed over.
    notices
        What users were told.
    run
        The run of its stages.
    """

    plan: Pipeline
    data: Dataset
    read_inputs: Callable[[], Mapping[str, str]]
    notices: Sequence[str]
    run: Run

    @property
    def threads(self) -> int | None:
        """Threads to use; None for all."""
        return self.run.threads

    @property
    def facts(self) -> dict[str, Any]:
        """What stages told of their work."""
        return {**self.run.told, **{name: told for name, told in self.data.facts.items() if name != "metrics"}}

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The figures of the selection beside others, as `compare` found them; none where it has not run."""
        found: Mapping[str, Any] = self.data.facts.get("metrics", {})
        return found

    def with_choice(self, data: Dataset, plan: Pipeline) -> Finished:
        """Return this with other rows in place of those that its last choice left, and the plan that would choose them.

        The stages after the choice run again.
        """
        place = max(index for index, step in enumerate(self.run.steps) if step.chooses)
        before = self.run.worked[place]
        run = replace(self.run, worked=[*self.run.worked[:place], before._replace(rows_out=data.n)])
        for step in run.steps[place + 1 :]:
            rows = data.n
            data = step.run(data, run)
            run.worked.append(Worked(step.name, rows, data.n))
        return replace(self, plan=plan, data=data, run=run)


@dataclass(frozen=True)
class Outcome:
    """What was written, or found.

    Attributes
    ----------
    output, manifest_path
        The files.
    manifest
        What stands in the manifest.
    cached
        Whether the output was there already, made by the same plan from the same inputs.
    reused
        Label of a stage -> what of its values was in the cache.
    rates
        Label of a stage -> how fast its model was.
    """

    output: Path
    manifest_path: Path
    manifest: Mapping[str, Any]
    cached: bool
    reused: Mapping[str, Reused] = field(default_factory=dict)
    rates: Mapping[str, str] = field(default_factory=dict)
