"""The evidence of a build in the few lines of its summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

__all__ = ["evidence_facts"]

#: From this share of rows with another next to them on, leaving near copies out is suggested.
_MANY_COPIES: Final = 0.05


class _Shown(NamedTuple):
    """How a figure is called and written, which end of it is good, and what it means."""

    label: str
    form: str
    meaning: str


_SHOWN: Final = {
    "coverage": _Shown("coverage", "{:.3f}", "more is better: mean similarity of all rows to their nearest pick"),
    "similarity_p50": _Shown("median similarity", "{:.3g}", "more is better: of a row to its nearest pick"),
    "distance_p50": _Shown("median distance", "{:.3g}", "less is better: of a row from its nearest pick"),
    "radius": _Shown("radius", "{:.3g}", "less is better: distance of the row farthest from its nearest pick"),
    "query_similarity": _Shown("queries to picks", "{:.3g}", "more is better: mean similarity to the nearest pick"),
    "pick_similarity": _Shown("picks to queries", "{:.3g}", "more is better: mean similarity to the nearest query"),
    "query_distance": _Shown("queries to picks", "{:.3g}", "less is better: mean distance from the nearest pick"),
    "pick_distance": _Shown("picks to queries", "{:.3g}", "less is better: mean distance from the nearest query"),
    "duplicates": _Shown("duplicates", "{:.1%}", "less is better: picks with another pick next to them"),
}


def evidence_facts(metrics: Mapping[str, Any], *, finds_near_copies: bool = True) -> dict[str, str]:
    """Return the lines of a summary: the selection, the mean of the random subsets, their range, and the verdict.

    Parameters
    ----------
    metrics
        Those of the manifest.
    finds_near_copies
        Whether near copies have left: where not and they are many, the option that leaves them out is named.
    """
    lines: list[tuple[str, str, str]] = []
    covered = metrics["coverage"]
    for name, figure in covered["figures"].items() if covered else ():
        if name in _SHOWN:
            shown = _SHOWN[name]
            lines.append((shown.label, _beside(figure, shown.form.format), shown.meaning))
    if scored := metrics["scores"]:
        lines.append(("mean score", _beside(scored["mean"], "{:.4g}".format), "neither end is better"))
    if long := metrics["lengths"]:
        sample = long.get("sample_of_subset")
        estimated = f"; of random rows estimated from {sample:,} of each subset" if sample else ""
        lines.append((long["unit"], _beside(long["total"], "{:,.0f}".format), f"in all{estimated}"))
    width = max((len(numbers) for _, numbers, _ in lines), default=0)
    facts = {label: f"{numbers:<{width}}  {meaning}" for label, numbers, meaning in lines}
    if grouped := metrics["groups"]:
        facts["groups"] = f"{grouped['groups']:,}, of which {grouped['without_picks']:,} have no row selected"
    decided = metrics["verdict"]
    facts["verdict"] = ("warning: " if decided["alarm"] else "") + decided["text"]
    if covered and covered["metric"] == "cosine" and not finds_near_copies:
        share = covered.get("duplicates_of_all") or 0.0
        if share > _MANY_COPIES:
            facts["near copies"] = (
                f"about {share:.0%} of all rows have another next to them (similarity 0.95 or more): "
                "the same command with --dedup near leaves one of each"
            )
    return facts


def _beside(figure: Mapping[str, Any], write: Callable[[float], str]) -> str:
    random = figure["random"]
    selected = f"{write(figure['selected']):>7}"
    if random is None:
        return selected
    least, most = write(random["least"]), write(random["most"])
    spread = "" if least == most else f" ({least} to {most})"
    return f"{selected}  random {write(random['mean'])}{spread}"
