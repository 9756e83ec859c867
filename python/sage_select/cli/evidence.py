"""The evidence of a build in the few lines of its summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["evidence_facts"]

#: What the summary shows of the figures of coverage, and how it is written.
_SHOWN = {
    "coverage": ("coverage", "{:.3f}"),
    "similarity_p50": ("median similarity", "{:.3g}"),
    "distance_p50": ("median distance", "{:.3g}"),
    "radius": ("radius", "{:.3g}"),
    "query_similarity": ("queries to picks", "{:.3g}"),
    "pick_similarity": ("picks to queries", "{:.3g}"),
    "query_distance": ("queries to picks", "{:.3g}"),
    "pick_distance": ("picks to queries", "{:.3g}"),
    "duplicates": ("duplicates", "{:.1%}"),
}


def evidence_facts(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return the lines of a summary: the selection, the mean of the random subsets, their range, and the verdict."""
    facts: dict[str, str] = {}
    if covered := metrics["coverage"]:
        for name, figure in covered["figures"].items():
            if name in _SHOWN:
                label, form = _SHOWN[name]
                facts[label] = _beside(figure, form.format)
    if scored := metrics["scores"]:
        facts["mean score"] = _beside(scored["mean"], "{:.4g}".format)
    if long := metrics["lengths"]:
        facts[long["unit"]] = _beside(long["total"], "{:,.0f}".format)
    if grouped := metrics["groups"]:
        facts["groups"] = f"{grouped['groups']:,}, of which {grouped['without_picks']:,} have no row selected"
    return {**facts, "verdict": metrics["verdict"]["text"]}


def _beside(figure: Mapping[str, Any], write: Callable[[float], str]) -> str:
    random = figure["random"]
    least, most = write(random["least"]), write(random["most"])
    return f"{write(figure['selected']):>7}  random {write(random['mean'])} ({least} to {most})"
