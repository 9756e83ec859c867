"""The selection beside random subsets of the same budget, as the manifest tells it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from sage_select.report.blocks import Absent, Block, Figure, Section, Table, Verdict
from sage_select.report.charts.beside import Beside, Measured
from sage_select.report.charts.labels import number
from sage_select.report.selection.facts import Facts

__all__ = ["beside_random", "verdict_of"]


class _Kind(NamedTuple):
    name: str
    better: int
    write: Callable[[float], str]
    meaning: str


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _three(value: float) -> str:
    return f"{value:#.3g}" if abs(value) < 1000 else number(value)


_KINDS: Final = {
    "coverage": _Kind("coverage", 1, _three, "mean similarity of all rows to their nearest pick"),
    "similarity_p50": _Kind("median similarity", 1, _three, "of a row to its nearest pick"),
    "distance_p50": _Kind("median distance", -1, _three, "of a row from its nearest pick"),
    "radius": _Kind("radius", -1, _three, "distance of the row that is farthest from its nearest pick"),
    "query_similarity": _Kind("queries to picks", 1, _three, "mean similarity of a query to its nearest pick"),
    "pick_similarity": _Kind("picks to queries", 1, _three, "mean similarity of a pick to its nearest query"),
    "query_distance": _Kind("queries to picks", -1, _three, "mean distance of a query from its nearest pick"),
    "pick_distance": _Kind("picks to queries", -1, _three, "mean distance of a pick from its nearest query"),
    "duplicates": _Kind("duplicates", -1, _percent, "picks that have another pick next to them"),
}
_WAYS: Final = {1: "more is better", -1: "less is better", 0: "neither end is better"}


def verdict_of(facts: Facts) -> Verdict | None:
    """Return what the comparison amounts to; None where there is none."""
    if not facts.metrics:
        return None
    decided = facts.metrics["verdict"]
    tone = "bad" if decided["alarm"] else "good" if decided["better"] else "plain"
    return Verdict(f"{decided['text'][:1].upper()}{decided['text'][1:]}.", tone)  # type: ignore[arg-type]


def beside_random(facts: Facts) -> Section:
    """Return the section on the comparison with random rows."""
    title, subsets = "Beside random rows", facts.metrics.get("random_subsets", 0)
    lead = f"Whether the rule was worth its while: the same figures for {subsets} random subsets of the same budget."
    if not facts.metrics:
        return Section(title, "Whether the rule was worth its while.", [Absent("the comparison", facts.why_no_metrics)])
    blocks: list[Block] = []
    measured, rows = _measured(facts.metrics)
    if measured:
        blocks.append(
            Figure(
                "beside-random",
                Beside(measured),
                "Lines with the selection and the range of random subsets: "
                + "; ".join(f"{one.name} {one.told}, random {number(one.mean)}" for one in measured)
                + ".",
                "The dot is the selection, the grey bar reaches from the least to the most of the random subsets, each "
                "line on a scale of its own; the verdict counts a dot that is beyond the bar and beyond their noise.",
            )
        )
    if rows:
        blocks.append(
            Table(
                ("figure", "selection", "random, mean", "least to most", "what it is"),
                rows,
                "The same in numbers.",
                frozenset({1, 2, 3}),
                cards=True,
            )
        )
    if not measured:
        blocks.append(Absent("a figure of it", facts.metrics["verdict"]["text"]))
    return Section(title, lead, blocks)


def _measured(metrics: dict[str, Any]) -> tuple[list[Measured], list[tuple[str, ...]]]:
    found: list[tuple[_Kind, dict[str, Any]]] = []
    covered = metrics["coverage"]
    for name, kind in _KINDS.items():
        if covered and name in covered["figures"]:
            found.append((kind, covered["figures"][name]))
    if scored := metrics["scores"]:
        found.append((_Kind("mean score", 0, _three, "of the picks"), scored["mean"]))
    if long := metrics["lengths"]:
        found.append((_Kind(long["unit"], 0, lambda value: f"{value:,.0f}", "in all picks together"), long["total"]))
    measured: list[Measured] = []
    rows: list[tuple[str, ...]] = []
    for kind, figure in found:
        random, told = figure["random"], kind.write(figure["selected"])
        meaning = f"{kind.meaning}; {_WAYS[kind.better]}"
        if random is None:
            rows.append((kind.name, told, "", "", meaning))
            continue
        between = f"{kind.write(random['least'])} to {kind.write(random['most'])}"
        rows.append((kind.name, told, kind.write(random["mean"]), between, meaning))
        if kind.better:
            measured.append(
                Measured(
                    kind.name, figure["selected"], random["least"], random["mean"], random["most"], kind.better, told
                )
            )
    return measured, rows
