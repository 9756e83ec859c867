"""Whether a selection is any better than random: the rule and its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sage_select.evidence.draws import SUBSETS
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

NOTHING: Final = "nothing was selected: there is nothing to compare"
EVERYTHING: Final = "every row was selected: there is nothing to compare"
NO_VECTORS: Final = "coverage was not measured: this strategy uses no vectors, and none are made for that alone"


def verdict(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Return on which figures the selection is better than every random subset, on which it is not, and that in words.

    Picks that were to match queries are judged by those alone: how they cover all rows is told, and was not asked for.
    On a figure that is as good as can be for the selection and for a random subset it is neither. Where it does not
    cover the data better (by the median distance, where coverage has no meaning), this comes first.
    """
    names = FIGURES if any(name in figures for name in FIGURES) else _JUDGED
    judged = {name: figures[name] for name in names if name in figures}
    better = [name for name, figure in judged.items() if figure.standing == "better"]
    no_better = [name for name, figure in judged.items() if figure.standing == "no better"]
    sentences = []
    if no_better:
        sentences.append(f"no better than random rows {_behind(judged, no_better)}")
    if better:
        sentences.append(f"better than each of {SUBSETS} random subsets on {_listed(better)}")
    text = "; ".join(sentences) or "as good as can be, and so are random rows"
    return {"better": better, "no_better": no_better, "text": text}


def _behind(judged: Mapping[str, Figure], names: list[str]) -> str:
    head = "coverage" if "coverage" in judged else "distance_p50" if "distance_p50" in judged else ""
    others = [name for name in names if name != head]
    if head not in names:
        return f"on {_listed(others)}"
    figure = judged[head]
    told = f"{_JUDGED[head]} {figure.selected:.3g}, random rows {mean(figure.random):.3g}"
    covering = f"at covering the data ({told})"
    return f"{covering}, nor on {_listed(others)}" if others else covering


def _listed(names: list[str]) -> str:
    words = [{**_JUDGED, **FIGURES}[name] for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
