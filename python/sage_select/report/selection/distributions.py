"""How scores and lengths are spread, of all rows, of random rows and of the picks."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from sage_select.report.blocks import Absent, Block, Figure, Section
from sage_select.report.charts.histogram import Histogram
from sage_select.report.charts.labels import number
from sage_select.report.selection.facts import Facts

__all__ = ["distributions"]

_CLASSES: Final = 36
#: Scores beyond these shares of all rows are in the outermost classes, so that a few do not flatten the rest.
_TAIL: Final = 0.002
_BAND: Final = "The line is the picks, the area all rows, and the band what random subsets of the same size have"


def distributions(facts: Facts) -> Section:
    """Return the section on scores and lengths."""
    return Section(
        "Scores and lengths",
        "Whether the picks are harder, easier, longer or shorter than rows drawn at random.",
        [_scores(facts), *_lengths(facts)],
    )


def _scores(facts: Facts) -> Block:
    what, pool = "the distribution of scores", facts.pool
    if isinstance(pool, str):
        binned = (facts.metrics or {}).get("scores")
        return Absent(what, pool) if not binned else _of_deciles(binned)
    if facts.report is None or not len(pool.rows):
        return Absent(what, "no row reached the selection")
    column = facts.report["score"]
    values = pc.cast(column, "float64").to_numpy()[pool.rows]
    known = values[np.isfinite(values)]
    if not len(known):
        return Absent(what, "this selection has no scores: its strategy uses none, and none were given")
    edges, names = _edges(known)
    shares = [_shares(values[rows], edges) for rows in (np.arange(len(values)), pool.picks, *pool.subsets)]
    random = None
    if pool.subsets:
        band = np.array(shares[2:])
        random = band.min(0).tolist(), band.mean(0).tolist(), band.max(0).tolist()
    means = [
        float(np.nanmean(values[rows])) if np.isfinite(values[rows]).any() else float("nan")
        for rows in (np.arange(len(values)), pool.picks)
    ]
    return Figure(
        "scores",
        Histogram(names or edges.tolist(), shares[0].tolist(), shares[1].tolist(), random, f"score ({_scorer(facts)})"),
        f"Histogram of scores: all rows have a mean of {number(means[0])}, the picks of {number(means[1])}.",
        f"{_BAND}; "
        + (
            "each value is a class."
            if names
            else f"{len(edges) - 1} classes of one width, the outermost with all that lies beyond."
        ),
    )


def _scorer(facts: Facts) -> str:
    found = [part for _, part in facts.steps if part.name == "score"]
    return str(found[-1].describe())[:60] if found and facts.report is not None else "as given"


def _edges(known: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[str]]:
    """Return where classes begin and end, and their names where each value is one."""
    values = np.unique(known)
    if len(values) <= _CLASSES:
        inner = (values[:-1] + values[1:]) / 2
        return np.concatenate([[-np.inf], inner, [np.inf]]), [number(value) for value in values.tolist()]
    low, high = np.quantile(known, [_TAIL, 1 - _TAIL])
    if low == high:
        low, high = float(known.min()), float(known.max())
    return np.linspace(low, high, min(_CLASSES, max(6, len(known) // 12)) + 1), []


def _shares(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    values = values[np.isfinite(values)]
    if not len(values):
        return np.zeros(len(edges) - 1)
    places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return np.bincount(places, minlength=len(edges) - 1) / len(values)


def _of_deciles(scored: dict[str, Any]) -> Figure:
    binned = scored["histogram"]
    names = [f"\N{LESS-THAN OR EQUAL TO} {number(edge)}" for edge in binned["edges"]] + ["above"]
    return Figure(
        "scores",
        Histogram(names, binned["all"], binned["selected"], _band(binned), "score, by tenths of all rows"),
        f"Histogram of scores by tenths of all rows; the picks have a mean of {number(scored['mean']['selected'])}.",
        f"{_BAND}; the classes are tenths of all rows, since there is no row report.",
    )


def _band(binned: dict[str, Any]) -> tuple[list[float], list[float], list[float]] | None:
    random = binned["random"]
    return None if random is None else (random["least"], random["mean"], random["most"])


def _lengths(facts: Facts) -> list[Block]:
    measured = facts.metrics.get("lengths")
    if not measured:
        return [
            Absent("the distribution of lengths", facts.why_no_metrics if not facts.metrics else "no lengths are known")
        ]
    unit, binned = measured["unit"], measured["histogram"]
    first = next((place for place, share in enumerate(binned["all"]) if share), 0)
    first = min([first, *(place for place, share in enumerate(binned["selected"]) if share)])
    last = max(place for place in range(len(binned["all"])) if binned["all"][place] or binned["selected"][place])
    names = _spans([int(edge) for edge in binned["edges"]])[first : last + 1]
    band = _band(binned)
    figure = Figure(
        "lengths",
        Histogram(
            names,
            binned["all"][first : last + 1],
            binned["selected"][first : last + 1],
            None if band is None else tuple(part[first : last + 1] for part in band),  # type: ignore[arg-type]
            f"{unit} of a row",
        ),
        f"Histogram of lengths: the picks have {number(measured['mean']['selected'])} {unit} in the mean"
        + ("." if band is None else f", random rows {number(measured['mean']['random']['mean'])}."),
        f"{_BAND}, by the {unit} of a row; each class is twice as wide as the one before.",
    )
    if unit == "tokens":
        return [figure]
    why = "the build counted words: with --tokenizer MODEL it counts the tokens of that model"
    return [figure, Absent("the distribution of tokens", why)]


def _spans(edges: list[int]) -> list[str]:
    """Return the names of the classes up to each edge, and beyond the last."""
    names = []
    for low, high in zip([-1, *edges[:-1]], edges, strict=True):
        names.append(f"{high:,}" if high - low == 1 else f"{low + 1:,}\N{EN DASH}{high:,}")
    return [*names, f"> {edges[-1]:,}"]
