"""The end of a run: a selection committed with its manifest and the row report, or found as it would be."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from sage_select import io
from sage_select.declare.registry import unversioned
from sage_select.engine.base import Finished, Outcome
from sage_select.engine.local.manifest import identity, manifest_of
from sage_select.engine.local.output import output_table
from sage_select.engine.local.row_report import row_report
from sage_select.io.commit.names import OutputNames
from sage_select.io.formats.encode import OutputFormat
from sage_select.io.output.target import check_target
from sage_select.paths import output_path
from sage_select.pipeline import Pipeline
from sage_select.stages import Sink

__all__ = ["found_result", "write_result"]


def found_result(
    plan: Pipeline,
    inputs: Mapping[str, str],
    form: OutputFormat,
    notice: Callable[[str], None],
    *,
    force: bool,
    overwrite_foreign: bool,
    again: bool = False,
) -> Outcome | None:
    """Return the output that this plan has made from these inputs before, or None where it can be written.

    With `again` nothing that was made before is returned.

    Raises
    ------
    SageError
        Where something else is in the way, as `io.output.target.check_target` says.
    """
    sink = plan.step(Sink)
    target = output_path(sink.path)
    known = identity(plan, inputs)
    if known is None and os.path.lexists(target):
        who = unversioned(plan.steps)[0]
        notice(f"{who} declares no version: whether {sink.path} is what this plan makes is not known")
    if known is not None and not again and io.existing(target, known, with_report=sink.rows):
        return Outcome(target, OutputNames(target).manifest, io.read_manifest(target) or {}, cached=True)
    check_target(OutputNames(target), form, force=force, overwrite_foreign=overwrite_foreign)
    return None


def write_result(done: Finished, *, force: bool = False, overwrite_foreign: bool = False) -> Outcome:
    """Write the rows, their manifest and, where the sink asks for it, the row report.

    Raises
    ------
    SageError
        As `io.write`: nothing is left behind then, and what was there before is.
    """
    sink = done.plan.step(Sink)
    target = output_path(sink.path)
    written = io.write(
        output_table(done.data),
        target,
        manifest_of(done),
        row_report=row_report(done.data, done.plan.seed) if sink.rows else None,
        force=force,
        overwrite_foreign=overwrite_foreign,
    )
    return Outcome(
        written.path,
        written.manifest_path,
        io.read_manifest(target) or {},
        cached=False,
        reused=done.run.reused,
        rates=done.run.rates,
    )
