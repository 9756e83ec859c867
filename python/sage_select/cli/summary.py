"""What a build has done, in the few lines of its summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from sage_select.columns import Reason
from sage_select.data import Cause
from sage_select.display import counted
from sage_select.engine import Outcome
from sage_select.pipeline.run import Reused
from sage_select.pipeline.spec import load_spec
from sage_select.stages import Mix, Select
from sage_select.values.mixture import OTHERS

__all__ = ["StageFacts", "build_facts", "stage_facts", "stage_lines"]

#: Values of a mixture that are told one by one.
_TOLD_VALUES: Final = 8


def build_facts(outcome: Outcome) -> dict[str, object]:
    """Return the lines of a summary: what was read, what left, what was kept and where it is."""
    manifest = outcome.manifest
    rows = manifest["rows"]
    plan = load_spec(manifest["spec"])
    dropped = {Cause.parse(text): count for text, count in rows["dropped"].items()}
    added = {Cause.parse(text).stage: count for text, count in rows.get("added", {}).items()}
    select = plan.find(Select)
    preferred = str(getattr(select.strategy, "preferred", "")) if select is not None else ""
    reasons = ", ".join(_picked(reason, count, preferred) for reason, count in rows["reasons"].items())
    return {
        "input": f"{manifest['source']['name']}, {counted(rows['in'], 'row')} ({manifest['shape']['name']})",
        "left out": _left_out(
            {cause: count for cause, count in dropped.items() if cause.stage not in added},
            manifest["evidence"].get("dedup"),
            sum(step.chooses for step in plan.steps),
        ),
        **_mixtures(manifest["evidence"], [step.name for step in plan.steps].count(Mix.name)),
        **{stage: _added(count, stage, dropped) for stage, count in added.items()},
        "kept": counted(rows["kept"], "row") + (f": {reasons}" if reasons else ""),
        "output": outcome.output,
        "manifest": outcome.manifest_path,
    }


class StageFacts(NamedTuple):
    """What was done of a stage: where its result came from, and its rows before and after it.

    `state` is `cached` (nothing was computed), `ran`, or `partly cached`: then `held` rows had their values before.
    """

    stage: str
    state: str
    held: int
    rows_in: int
    rows_out: int
    dropped: dict[str, int]


def stage_facts(outcome: Outcome) -> list[StageFacts]:
    """Return what was done, stage by stage, of those that do something."""
    dropped: dict[str, dict[str, int]] = {}
    for text, count in outcome.manifest["rows"]["dropped"].items():
        cause = Cause.parse(text)
        if count:
            dropped.setdefault(cause.stage, {})[cause.reason] = count
    found = []
    for node in outcome.manifest.get("nodes", ()):
        label = node["stage"]
        if node.get("rows_in") is not None:
            reused = outcome.reused.get(label, Reused())
            state = "cached" if outcome.cached or (reused.held and not reused.computed) else "ran"
            state = "partly cached" if reused.held and reused.computed else state
            rows = (node["rows_in"], node["rows_out"])
            found.append(StageFacts(label, state, reused.held, *rows, dropped.get(label, {})))
    return found


def stage_lines(facts: Iterable[StageFacts], rates: Mapping[str, str]) -> dict[str, str]:
    """Return a line for each stage: `cached  840 -> 838 rows: 2 exact copies`, and how fast its model was."""
    lines = {}
    for one in facts:
        state = f"{one.state} ({one.held:,} rows)" if one.state == "partly cached" else one.state
        moved = one.rows_in != one.rows_out
        rows = f"{one.rows_in:,} -> {counted(one.rows_out, 'row')}" if moved else counted(one.rows_out, "row")
        left = ", ".join(_counted(reason, count) for reason, count in one.dropped.items())
        more = "; left out: " if one.rows_out > one.rows_in else ": "
        rate = f"; {rates[one.stage]}" if one.stage in rates else ""
        lines[one.stage] = f"{state:<8} {rows}" + (f"{more}{left}" if left else "") + rate
    return lines


def _picked(reason: str, count: int, preferred: str) -> str:
    if reason == Reason.PINNED:
        return f"{count:,} pinned"
    return f"{count:,} by {reason}" + (f" ({preferred})" if reason == Reason.SCORE and preferred else "")


def _added(tried: int, stage: str, dropped: Mapping[Cause, int]) -> str:
    """Return how many rows a stage added, and why others that it tried were left out."""
    left_out = {cause.reason: count for cause, count in dropped.items() if cause.stage == stage}
    told = f"{counted(tried - sum(left_out.values()), 'row')} added"
    if not left_out:
        return told
    reasons = ", ".join(f"{count:,} ({reason})" for reason, count in left_out.items())
    return f"{told}, of {tried:,} tried; left out are {reasons}"


def _left_out(causes: Mapping[Cause, int], dedup: Mapping[str, Any] | None, choices: int) -> str:
    """Return which rows left before the last of so many selections."""
    last = Select.name if choices < 2 else f"{Select.name} {choices}"
    before = {cause: count for cause, count in causes.items() if cause.stage != last}
    # Of several selections it is told which passed over a row.
    told = [
        _counted(str(cause) if cause.stage.startswith(f"{Select.name} ") else cause.reason, count)
        for cause, count in before.items()
    ]
    if dedup is not None and dedup["groups"]:
        largest, groups = dedup["largest_groups"][0], dedup["groups"]
        told.append(
            f"copies lie in {counted(groups, 'group')}, the largest of {largest['rows']:,} rows "
            f"(kept: {largest['kept']})"
        )
    if told:
        return "; ".join([", ".join(told[: len(before)]), *told[len(before) :]])
    return "no row: each has something to train" + ("" if dedup is None else ", and none is a copy of another")


def _counted(reason: str, count: int) -> str:
    if reason.endswith("copy"):
        return f"{count:,} {reason}" if count == 1 else f"{count:,} {reason[:-1]}ies"
    return f"{counted(count, 'row')} ({reason})"


def _mixtures(evidence: Mapping[str, Any], mixtures: int) -> dict[str, str]:
    """Return a line for each of so many mixtures: which share of it each value has, and how many of its rows those are.

    One that had no rows to mix told nothing.
    """
    labels = [Mix.name] if mixtures == 1 else [f"{Mix.name} {number}" for number in range(1, mixtures + 1)]
    return {label.replace(Mix.name, "mixture"): _mixture(evidence[label]) for label in labels if label in evidence}


def _mixture(facts: Mapping[str, Any]) -> str:
    """Return what a mixture holds, in the unit in which its shares are counted."""
    values = [(one["value"] or "''", one) for one in facts["values"]]
    if "other_values" in facts:
        values.append((f"{facts['other_values']['values']:,} other", facts["other_values"]))
    told = [
        f"{name} {one['reached']:.1%} ({one['rows']:,} of {counted(one['rows_available'], 'row')})"
        for name, one in values[:_TOLD_VALUES]
    ]
    if len(values) > _TOLD_VALUES:
        told.append(f"{len(values) - _TOLD_VALUES:,} more")
    limit = facts.get("limited_by")
    allowed = (
        "" if limit is None else f"; as much as {'other values' if limit == OTHERS else limit or repr('')} can give"
    )
    return f"{facts['column']} by {facts['by']}: {', '.join(told)}{allowed}"
