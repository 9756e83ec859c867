"""All metrics with their definitions, what failed, and what each arm is."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sage_select.comparison.page.words import called, value
from sage_select.comparison.result import Comparison
from sage_select.comparison.run import BASE
from sage_select.display import displayed
from sage_select.pipeline.spec.write import dump_yaml
from sage_select.report.blocks import Absent, Block, Code, Section, Table

__all__ = ["arms", "failures", "metrics"]


def metrics(found: Comparison) -> Section:
    """Return the values of all metrics."""
    shown = [
        one
        for one in found.judgements
        if one.base is not None or any(figures.mean is not None for figures in one.arms.values())
    ]
    none = [one.metric.name for one in found.judgements if one not in shown]
    blocks: list[Block] = []
    if shown:
        names = [arm.name for arm in found.arms]
        blocks.append(
            Table(
                ("metric", "better", BASE, *map(called, names)),
                [
                    (
                        called(one.metric.name),
                        one.metric.better,
                        value(one.base) or "-",
                        *(value(one.arms[name].mean) or "-" for name in names),
                    )
                    for one in shown
                ],
                "Means over seeds; a dash is no value. Among so many figures some differ by chance: verdicts are by "
                "the first metric alone, and comparison.json has the differences of all.",
                frozenset(range(2, 3 + len(names))),
                wide=True,
            )
        )
        blocks.append(
            Table(
                ("metric", "evaluator", "over", "definition"),
                [
                    (
                        called(one.metric.name),
                        called(one.metric.evaluator),
                        one.metric.over,
                        one.metric.definition,
                    )
                    for one in shown
                ],
                "What each metric is.",
                cards=True,
            )
        )
    if none:
        blocks.append(Absent(", ".join(map(called, none)), "nothing that was evaluated on has a value of it"))
    return Section("All metrics", "Every figure of every arm, and what it is.", blocks)


def failures(found: Comparison) -> Iterator[Section]:
    """Yield what failed, where anything did."""
    if found.failed:
        yield Section(
            "Failed",
            "What has no figures, and why; everything else went on.",
            [
                Table(
                    ("arm", "seed", "error"),
                    [(called(cell.arm), str(cell.seed), displayed(cell.error or "")) for cell in found.failed],
                    "An arm without a seed is compared over those seeds that it and its control both have.",
                    frozenset({1}),
                    cards=True,
                )
            ],
        )


def arms(found: Comparison) -> Section:
    """Return what each arm is."""
    blocks: list[Block] = []
    for arm in found.arms:
        beside = "others are compared with it" if arm.control is None else f"compared with {called(arm.control)}"
        taught = "" if arm.teacher is None else f"; taught by {called(arm.teacher)}"
        rows = "" if arm.selection is None else "; its rows were selected before"
        # Values that YAML does not know, such as paths, are told as text.
        method = json.loads(json.dumps(arm.method.as_dict(), default=str))
        said = f"{displayed(arm.method.summary)}; {beside}{taught}{rows}."
        blocks.append(Code(dump_yaml(method).rstrip(), called(arm.name), said))
    return Section("Arms", "Each method as a file for --method-file says it.", blocks)
