"""What was asked of a build, and what became of the rows at each stage."""

from __future__ import annotations

from typing import Final

from sage_select.display import counted, displayed
from sage_select.report.blocks import Absent, Block, Figure, Section, Table, Text
from sage_select.report.charts.bars import Remaining, Step
from sage_select.report.selection.facts import Facts

__all__ = ["asked", "fate", "origins"]

_MOST_CAUSES: Final = 12


def _strategy_of(facts: Facts) -> str:
    """Return the strategy in words."""
    choice = facts.choice
    if choice is None:
        named = [step["select"] for step in facts.manifest["spec"].get("steps", ()) if "select" in step]
        return f"strategy {named[-1].get('strategy', 'auto')}" if named else "no selection"
    return str(choice.describe())


def asked(facts: Facts) -> Section:
    """Return the section on what was asked."""
    manifest = facts.manifest
    nodes = {node["stage"]: node for node in manifest.get("nodes", ())}
    rows: list[tuple[str, ...]] = []
    if facts.plan is not None:
        for label, step in zip(facts.plan.labels(), facts.plan.steps, strict=True):
            if step.idle:
                continue
            node = nodes.get(label, {})
            told = (f"{node['rows_in']:,}", f"{node['rows_out']:,}") if "rows_in" in node else ("", "")
            rows.append((label, displayed(step.describe()), *told))
    blocks: list[Block] = [
        Table(
            ("stage", "what it was asked to do", "rows before", "rows after"),
            rows,
            "The plan, one line a stage, with the rows that came in and went on.",
            frozenset({2, 3}),
            cards=True,
        )
        if rows
        else Absent("the plan", "it holds a stage, strategy or encoder that is not installed here")
    ]
    if manifest["notices"]:
        blocks.append(
            Table(("note",), [(displayed(one),) for one in manifest["notices"]], "What the build said on its way.")
        )
    return Section("What was asked", f"Rows were selected by {displayed(_strategy_of(facts))}.", blocks)


def origins(facts: Facts) -> Section:
    """Return the section on what the selection was made from and by."""
    manifest = facts.manifest
    rows = [
        ("input", displayed(manifest["source"]["name"])),
        ("seed", str(manifest["seed"])),
        ("made by", f"{manifest['program']['name']} {manifest['program']['version']}"),
        ("digest of the rows", manifest["output"]["digest"]),
        ("fingerprint", manifest["fingerprint"] or "none: a part of it declares no version"),
        *((f"digest of {displayed(name)}", digest) for name, digest in manifest["inputs"].items()),
    ]
    table = Table(("", ""), rows, "The same plan, inputs, seed and version give the same bytes.")
    return Section("To make it again", "What this selection was made from, and by what.", [table])


def fate(facts: Facts) -> Section:
    """Return the section on what became of the rows."""
    counts = facts.manifest["rows"]
    added = counts.get("added", {})
    causes = facts.causes()
    blocks: list[Block] = []
    left, steps = facts.read_n + sum(added.values()), []
    for cause, count in causes[:_MOST_CAUSES]:
        steps.append(Step(f"{cause.stage}: {cause.reason}", left, left - count))
        left -= count
    if len(causes) > _MOST_CAUSES:
        rest = sum(count for _, count in causes[_MOST_CAUSES:])
        steps.append(Step("other causes", left, left - rest))
    begun = f"read{' and added' if added else ''}"
    blocks.append(
        Figure(
            "rows",
            Remaining((begun, facts.read_n + sum(added.values())), steps, ("kept", facts.kept)),
            f"Bars: {facts.read_n + sum(added.values()):,} rows {begun}; "
            + "; ".join(f"{count:,} left ({cause.stage}: {cause.reason})" for cause, count in causes[:_MOST_CAUSES])
            + f"; {facts.kept:,} kept.",
            "Each bar is what was left after a stage, and its hatched end what left there, by the reason that it gave.",
        )
    )
    total = max(1, facts.read_n)
    table = [
        *((f"added by {displayed(name)}", "", f"{count:,}", f"{count / total:.1%}") for name, count in added.items()),
        *(
            (displayed(cause.stage), displayed(cause.reason), f"{count:,}", f"{count / total:.1%}")
            for cause, count in causes
        ),
        *(
            ("kept", f"by {displayed(reason)}", f"{count:,}", f"{count / total:.1%}")
            for reason, count in counts["reasons"].items()
        ),
    ]
    blocks.append(
        Table(
            ("stage", "why", "rows", "of the input"),
            table,
            "Every row of the input is in one of these lines: nothing leaves without a reason.",
            frozenset({2, 3}),
        )
    )
    if "first_of" in facts.manifest:
        of = facts.manifest["first_of"]
        blocks.append(
            Text(f"These are the first rows of {displayed(of['file'])}, which has {counted(of['rows'], 'row')}.")
        )
    return Section(
        "What became of the rows", "How many rows were read, which left where and why, and which stayed.", blocks
    )
