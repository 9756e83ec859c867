"""Run a plan from its source to its sink."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sage_select import io
from sage_select.cache import Cache, most_bytes
from sage_select.data import Dataset
from sage_select.engine.base import Finished, Outcome
from sage_select.engine.local.faults import check_result, faults_of
from sage_select.engine.local.inputs import input_digests
from sage_select.engine.local.result import found_result, write_result
from sage_select.io.output.target import preflight_output
from sage_select.paths import output_path
from sage_select.pipeline import Pipeline, Reporter, Run, Stage
from sage_select.pipeline.plan import schedule
from sage_select.pipeline.run import Recorder, Worked
from sage_select.stages import Compare, Sink, Source

__all__ = ["finish", "run"]


def run(
    plan: Pipeline,
    reporter: Reporter,
    *,
    force: bool = False,
    overwrite_foreign: bool = False,
    verify: bool = True,
    threads: int | None = None,
    cache: Path | None = None,
) -> Outcome:
    """Run a resolved pipeline and commit its output.

    Parameters
    ----------
    plan
        The pipeline, as `plan.resolve` returned it.
    reporter
        Who is told of progress and notices.
    force, overwrite_foreign
        Replace an output of this program; with both, also a file or saved dataset that is none.
    verify
        Refuse inputs that are outputs of this program and have been changed since they were written.
    threads
        Threads to use; None for `SAGE_THREADS` or all cores. No result depends on it.
    cache
        The folder in which values of models are held, for this run and for later ones; None to compute all, with
        `force` what is in the output as well.

    Returns
    -------
    Outcome
        With `cached` set where the output was there already, made by this plan from these inputs.

    Raises
    ------
    SageError
        Whatever is wrong with the plan, the data, the output or the environment; nothing is left behind.
    """
    options = {"force": force, "overwrite_foreign": overwrite_foreign}
    form = preflight_output(output_path(plan.step(Sink).path), plan.inputs(), **options)
    made = _Run(plan, reporter, threads, verify, {}, cache)
    found = found_result(plan, made.inputs, form, made.run.reporter.notice, **options, again=force and cache is None)
    if found is not None:
        return found
    return write_result(made.finish(), **options)


def finish(
    plan: Pipeline,
    reporter: Reporter,
    values: Mapping[str, Any],
    *,
    notices: Iterable[str] = (),
    verify: bool = True,
    threads: int | None = None,
    cache: Path | None = None,
) -> Finished:
    """Run a resolved pipeline and write nothing.

    Parameters
    ----------
    plan, reporter, verify, threads, cache
        As of `run`.
    values
        Setting -> what stands for the file that the plan calls `GIVEN`: `source.path` (an object with rows, or how many
        there are), `score.file`, `embed.file`, `select.queries`, `select.pin`, `select.exclude`, `select.groups`,
        `select.lengths`.
    notices
        What was said already.

    Raises
    ------
    SageError
        Whatever is wrong with the plan, the data or the environment.
    """
    made = _Run(plan, reporter, threads, verify, values, cache, notices)
    # What a selection is like beside others is found out when it is asked for.
    made.run.steps = [step for step in made.run.steps if not isinstance(step, Compare)]
    return made.finish()


class _Run:
    """A run that has read its rows, and nothing else yet."""

    def __init__(
        self,
        plan: Pipeline,
        reporter: Reporter,
        threads: int | None,
        verify: bool,
        values: Mapping[str, Any],
        cache: Path | None,
        notices: Iterable[str] = (),
    ) -> None:
        self.run = Run(schedule(plan), plan.seed, Recorder(reporter), threads, verify, values)
        if cache is not None:
            self.run.cache = Cache(cache, most_bytes(), reporter.notice)
        for text in notices:
            self.run.reporter.notice(text)
        self._plan = plan
        self._source = next(step for step in self.run.steps if isinstance(step, Source))
        self.run.reporter.stage(self._source.name, "started", (None, None))
        self._rows = self._source.read(self.run)
        self._files = io.Beside()

    @property
    def inputs(self) -> dict[str, str]:
        """Name -> digest of every file that the run depends on; those beside the rows are then read as they were."""
        return input_digests(self._plan, self._rows, self._files, self.run.values)

    def finish(self) -> Finished:
        """Run the stages."""
        data = replace(self._source.dataset(self._rows, self.run), files=self._files)
        rest = [step for step in self.run.steps if step is not self._source]
        self._done(Worked(self._source.name, data.input_n, data.n))
        for step in rest:
            with faults_of(step):
                step.check_input(data)
        while rest:
            # What a stage needs is looked up before anything costly runs, but for what comes after other rows.
            end = next((place + 1 for place, step in enumerate(rest) if step.settles), len(rest))
            data, rest = self._segment(data, rest[:end]), rest[end:]
        return Finished(self._plan, data, lambda: self.inputs, self.run.reporter.notices, self.run)

    def _segment(self, data: Dataset, steps: list[Stage]) -> Dataset:
        for step in steps:
            with faults_of(step):
                data = step.prepare(data, self.run)
        for step in steps:
            with faults_of(step):
                step.check(data, self.run)
        for place, step in enumerate(steps):
            before = data
            self.run.reporter.stage(step.name, "started", (before.n, None))
            with faults_of(step):
                data = step.run(data, self.run)
                check_result(step, before, data, self.run.told)
            self._done(Worked(step.name, before.n, data.n))
            for later in steps[place + 1 :] if data.n < before.n else ():
                with faults_of(later):
                    later.check(data, self.run)
        return data

    def _done(self, worked: Worked) -> None:
        self.run.worked.append(worked)
        self.run.reporter.stage(worked.name, "done", (worked.rows_in, worked.rows_out))
