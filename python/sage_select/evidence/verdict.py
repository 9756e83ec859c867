"""Whether a selection is any better than random: the rule and its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sage_select.evidence.figure import Figure, mean
from sage_select.evidence.target import FIGURES

__all__ = ["EVERYTHING", "NOTHING", "NO_VECTORS", "verdict"]

#: What is judged, under the names by which users know it. Other percentiles are told and not judged.
_JUDGED: Final = {
    "coverage": "coverage",
    "similarity_p50": "median similarity",
    "distance_p50": "median distance",
    "radius": "radius",
    "duplicates": "duplicates",
}

#: What says whether the data is covered, where it is known; the first of them that is.
_HEADS: Final = ("coverage", "distance_p50")
_WAYS: Final = ("better", "worse", "undecided")

NOTHING: Final = "nothing was selected: there is nothing to compare"
EVERYTHING: Final = "every row was selected: there is nothing to compare"
NO_VECTORS: Final = "coverage was not measured: this strategy uses no vectors, and none are made for that alone"


def verdict(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Return on which figures the selection is better or worse than random subsets, or neither, and that in words.

    Picks that were to match queries are judged by those alone: how they cover all rows is told, and was not the task.
    On a figure that is as good as can be for the selection and for random subsets it is nothing of these. A difference
    counts beyond the noise of random subsets (`Figure.noise`). There is an `alarm` where the selection is worse on any
    figure, or covers the data no better (by the median distance, where coverage has no meaning): this comes first.
    """
    names = FIGURES if any(name in figures for name in FIGURES) else _JUDGED
    judged = {name: figures[name] for name in names if name in figures}
    by = {way: [name for name, figure in judged.items() if figure.outcome == way] for way in _WAYS}
    # Of queries, either way of being near will do.
    heads = [name for name in (_HEADS if names is _JUDGED else () if by["better"] else FIGURES) if name in judged]
    head = heads[0] if heads else ""
    sentences = []
    if head in by["undecided"]:
        what = "at covering the data" if head in _HEADS else f"on {_listed([head])}"
        sentences.append(f"no better than random rows {what} ({_beside(head, judged[head])})")
    if by["worse"]:
        sentences.append("worse than random rows: " + ", ".join(_beside(name, judged[name]) for name in by["worse"]))
    if by["better"]:
        sentences.append(f"better than random rows on {_listed(by['better'])}")
    if others := [name for name in by["undecided"] if name != head]:
        sentences.append(f"no different on {_listed(others)}")
    text = "; ".join(sentences) or "as good as can be, and so are random rows"
    return {**by, "alarm": bool(by["worse"]) or head in by["undecided"], "text": text}


def _beside(name: str, figure: Figure) -> str:
    """Return the two numbers, with as many digits as tell them apart."""
    write = "{:.1%}".format if name == "duplicates" else "{:.3g}".format
    return f"{_name(name)} {write(figure.selected)} beside {write(mean(figure.random))}"


def _listed(names: list[str]) -> str:
    words = [_name(name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _name(figure: str) -> str:
    return {**_JUDGED, **FIGURES}[figure]
