"""The first rows of a selection as a selection of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sage_select import io
from sage_select.cache import key_of
from sage_select.columns import COLUMNS
from sage_select.data import NOT_SELECTED, Cause
from sage_select.declare.registry import missing_members
from sage_select.engine.base import Outcome
from sage_select.engine.local.output import counts_of
from sage_select.errors import DataError, ResourceError, UsageError
from sage_select.io.commit.manifest import manifest_refused
from sage_select.io.commit.names import OutputNames
from sage_select.io.output.target import check_target, preflight_output
from sage_select.pipeline import Pipeline, Reporter, Stage
from sage_select.pipeline.plan import fingerprint, node_keys, schedule
from sage_select.pipeline.spec import load_spec
from sage_select.scorers import Scorer
from sage_select.stages import Order, Select
from sage_select.values.budget import Budget
from sage_select.values.location import InputSetting

__all__ = ["not_nested_reason", "top", "with_budget"]


def top(
    source: Path,
    budget: Budget,
    target: Path,
    reporter: Reporter,
    *,
    force: bool = False,
    overwrite_foreign: bool = False,
    verify: bool = True,
) -> Outcome:
    """Write the rows of a selection that a build with a smaller budget would have picked.

    They are the first by `sage_rank`, where the strategy picks row after row whatever the budget is.

    Parameters
    ----------
    source
        An output of a build, with its manifest.
    budget
        Rows, or a share of the rows of that build's input.
    target
        The output; the format follows the name.
    reporter
        Where progress goes.
    force, overwrite_foreign
        Replace an output of this program; with both, also a file or saved dataset that is none.
    verify
        Refuse a selection that has been changed since it was written.

    Raises
    ------
    UsageError
        If the selection has no manifest, has fewer rows, or is none of which the first rows are a smaller one; or if
        fewer rows would be trained in another order than they have here.
    DataError
        If it, or the row report, has been changed since it was written.
    """
    selection = InputSetting("selection", "rows", str(source))
    form = preflight_output(target, [selection], force=force, overwrite_foreign=overwrite_foreign)
    with reporter.progress("reading") as progress:
        rows, manifest, report = io.open_with_report(source, progress=progress, verify=verify)
    if manifest is None or "program" not in manifest:
        raise UsageError(
            "this is no selection with a manifest", where=str(source), expected="an output of sage-select build"
        )
    plan = _plan(manifest, source)
    with manifest_refused(OutputNames(source).manifest):
        count = _rows(plan, manifest, budget, source)
    # All rows are what they were: of budgets that a number of rows cannot say, such as tokens, too.
    smaller = plan if count == manifest["rows"]["kept"] else with_budget(plan, count)
    identity = key_of(["top", count, manifest["output"]["digest"]])
    if io.existing(target, identity):
        return _outcome(target, cached=True)
    check_target(OutputNames(target), form, force=force, overwrite_foreign=overwrite_foreign)
    table = _first(_typed(rows.table), count)
    written = io.write(
        table,
        target,
        {
            **_manifest(manifest, table, source, _evidence_of_picks(plan)),
            "fingerprint": identity,
            "plan": fingerprint(smaller),
            "nodes": _nodes(smaller, manifest, count),
            "spec": smaller.to_dict(),
        },
        row_report=None if report is None else _cut_report(report.table, count),
        force=force,
        overwrite_foreign=overwrite_foreign,
    )
    return _outcome(written.path, cached=False)


def _plan(manifest: Mapping[str, Any], source: Path) -> Pipeline:
    """Return the plan of a selection, where all that it holds is here."""
    with manifest_refused(OutputNames(source).manifest):
        missing = missing_members(manifest.get("packages", ()))
    if missing:
        packages = dict.fromkeys(one["package"] for one in manifest["packages"])
        raise ResourceError(
            f"this selection was made with {' and '.join(missing)}, which is not installed here",
            where=str(source),
            hint=f"pip install {' '.join(packages)}",
        )
    try:
        return load_spec(manifest["spec"])
    except UsageError as error:
        raise DataError(
            "the manifest holds a spec that this version does not know",
            where=str(source),
            problems=error.problems,
            got=None if error.problems else error.message,
            hint="install the package that declares what is not known, or the version that wrote it",
        ) from None


def _rows(plan: Pipeline, manifest: Mapping[str, Any], budget: Budget, source: Path) -> int:
    """Return how many rows are asked for, if the first so many are a selection of their own."""
    select, counted = plan.step(Select), manifest["rows"]
    if budget.tokens is not None:
        raise UsageError("the first rows are counted in rows", expected="a number (300) or a share (10%)")
    causes = {Cause.parse(text): number for text, number in counted["dropped"].items()}
    excluded = sum(number for cause, number in causes.items() if cause.reason != NOT_SELECTED)
    count = budget.rows(counted["in"] - excluded, clamp=True)
    kept, pinned = counted["kept"], counted["reasons"].get("pinned", 0)
    if (budget.count or 0) > kept or count > kept:
        raise UsageError(
            f"the selection has only {kept:,} rows", where=str(source), expected=f"at most {kept:,}", got=str(budget)
        )
    if count < pinned:
        raise UsageError(
            f"the {pinned:,} pinned rows are more than the budget", expected=f"at least {pinned:,}", got=f"{count:,}"
        )
    earlier = sum(number for cause, number in causes.items() if cause.stage != select.name)
    why = not_nested_reason(plan) or select.not_first_reason(counted["in"] - earlier, count, manifest["evidence"])
    again = f"build again with --budget {count}"
    if why and count < kept:
        raise UsageError(
            f"the first rows are not what a smaller budget picks: {why}",
            where=str(source),
            hint="give the selection of the spec another budget, and build again" if not_nested_reason(plan) else again,
        )
    why = _other_order_reason(plan)
    if why and count < kept:
        raise UsageError(
            f"the first rows are those of a smaller budget, but not in its order: {why}", where=str(source), hint=again
        )
    return count


def _other_order_reason(plan: Pipeline) -> str:
    """Return why fewer rows would stand otherwise in training than they do among these; empty where they would not."""
    order = plan.find(Order)
    if order is None:
        return ""
    if not order.order.nested:
        return f"order {order.order.name!r} goes by all rows together"
    # What is computed for the order alone is computed of the rows selected, wherever its step stands.
    steps = schedule(plan)
    place = max(index for index, step in enumerate(steps) if step.chooses)
    for step in steps[place + 1 :]:
        if step.gives & order.needs() and not _sees_each_row_alone(step):
            *_, last = step.members()
            return f"{last.label} looks at these rows together"
    return ""


def _sees_each_row_alone(step: Stage) -> bool:
    """Return whether what a stage gives a row follows from that row, whatever other rows there are."""
    _, *held = step.members()
    return step.given or (
        all(isinstance(one, Scorer) and one.sees_rows_alone for one in held) if held else step.scope == "row"
    )


def not_nested_reason(plan: Pipeline) -> str:
    """Return why the first rows of a plan's result are no result of its own; empty where only the selection decides."""
    choices = [place for place, step in enumerate(plan.steps) if step.chooses]
    if len(choices) != 1:
        return f"the pipeline selects {len(choices)} times"
    after = [
        step.name for step in plan.steps[choices[0] + 1 :] if step.effect_here in ("drops", "adds") and not step.idle
    ]
    return f"{after[0]} comes after the selection" if after else ""


def with_budget(plan: Pipeline, count: int) -> Pipeline:
    """Return the plan whose selection takes so many rows."""
    return plan.replaced(plan.step(Select).model_copy(update={"budget": Budget.parse(count), "clamp": False}))


def _typed(table: pa.Table) -> pa.Table:
    """Return the table with the `sage_` columns of a build: JSON lines lose types, and, without rows, columns."""
    own = [name for name in table.column_names if name not in COLUMNS]
    fields = [pa.field(name, pa.type_for_alias(kind), nullable=nullable) for name, (kind, nullable) in COLUMNS.items()]
    made = [
        pa.nulls(table.num_rows, field.type)
        if field.name not in table.column_names
        else table[field.name].cast(field.type)
        for field in fields
    ]
    schema = pa.schema([*(table.schema.field(name) for name in own), *fields], metadata=table.schema.metadata)
    return pa.Table.from_arrays([*(table[name] for name in own), *made], schema=schema)


def _first(table: pa.Table, count: int) -> pa.Table:
    """Return the rows of lowest rank, in their order, with new positions."""
    first = table.filter(pc.less(table["sage_rank"], count))
    if first.num_rows != count:
        raise DataError("the ranks of the selection are not those of a build", expected=f"0 to {table.num_rows - 1}")
    place = first.schema.get_field_index("sage_position")
    positions = pa.array(np.arange(count), pa.int64())
    return first.set_column(place, first.schema.field(place), positions).combine_chunks()


def _evidence_of_picks(plan: Pipeline) -> frozenset[str]:
    """Return the evidence of a plan that tells of the rows picked."""
    members = [member for step in plan.steps for member in step.members()]
    return frozenset().union(*(getattr(member, "evidence_of_picks", ()) for member in members))


def _manifest(manifest: Mapping[str, Any], table: pa.Table, source: Path, of_picks: frozenset[str]) -> dict[str, Any]:
    """Return the manifest of the first rows: what was found out about all rows stays, figures of the picks do not."""
    counted, kept = manifest["rows"], table.num_rows
    dropped = dict(counted["dropped"])
    name = str(Cause(Select.name, NOT_SELECTED))
    dropped[name] = dropped.get(name, 0) + counted["kept"] - kept
    reasons = counts_of(table["sage_reason"])
    output = manifest["output"]
    return {
        **{name: value for name, value in manifest.items() if name not in ("output", "metrics")},
        "evidence": {name: value for name, value in manifest["evidence"].items() if name not in of_picks},
        "rows": {**counted, "kept": kept, "dropped": dropped, "reasons": dict(sorted(reasons.items()))},
        "first_of": {"file": source.name, "digest": output["digest"], "rows": output["rows"]},
    }


def _nodes(plan: Pipeline, manifest: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """Return what the manifest says of each stage, for a selection of so many rows."""
    choice = max((place for place, step in enumerate(plan.steps) if step.chooses), default=0)
    keys = node_keys(plan, manifest["inputs"], manifest["program"]["version"])
    found = []
    for place, (node, (_, key)) in enumerate(zip(manifest.get("nodes", ()), keys, strict=False)):
        own = {**node, "key": key}
        if "rows_in" in node and place >= choice:
            own |= {"rows_in": node["rows_in"] if place == choice else count, "rows_out": count}
        found.append(own)
    return found


def _cut_report(report: pa.Table, count: int) -> pa.Table:
    """Return the row report; rows beyond the first are not selected."""
    gone = pc.fill_null(pc.greater_equal(report["rank"], count), False)
    # Of other picks nothing is known but how near they are not.
    stays = pc.is_in(report["nearest_pick"], report["sage_row_id"].filter(pc.and_(report["kept"], pc.invert(gone))))
    nearest = {
        name: pc.if_else(stays, report[name], None)
        for name in ("nearest_pick", "nearest_similarity", "nearest_distance")
    }
    changes = {
        **nearest,
        "kept": pc.and_(report["kept"], pc.invert(gone)),
        "reason": pc.if_else(gone, NOT_SELECTED, report["reason"]),
        "rank": pc.if_else(gone, None, report["rank"]),
    }
    for name, column in changes.items():
        place = report.schema.get_field_index(name)
        report = report.set_column(place, report.schema.field(place), column)
    return report


def _outcome(target: Path, *, cached: bool) -> Outcome:
    return Outcome(target, OutputNames(target).manifest, io.read_manifest(target) or {}, cached)
