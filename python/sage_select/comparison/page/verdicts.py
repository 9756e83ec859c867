"""What a comparison comes to, an arm a line, and what was compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sage_select.comparison.arms import Arm
from sage_select.comparison.folder import ComparisonFolder
from sage_select.comparison.page.words import TONES, called, change, interval, p_value, value
from sage_select.comparison.result import Comparison
from sage_select.comparison.result import Word as Said
from sage_select.comparison.rows import selection_file
from sage_select.display import counted, displayed
from sage_select.errors import SageError
from sage_select.io import read_manifest
from sage_select.pipeline.spec.write import dump_yaml
from sage_select.report.blocks import Block, Cell, Code, Section, Table, Text, Verdict, Word

__all__ = ["compared", "verdict_of", "verdicts"]

#: How many names of arms a sentence has room for.
_NAMED: Final = 4


def verdict_of(found: Comparison) -> Verdict:
    """Return what all of it amounts to, in a sentence."""
    words = {arm.name: found.word(arm) for arm in found.arms}
    said = []
    for word in ("better", "worse", "not distinguishable", "no verdict", "failed"):
        names = [name for name, one in words.items() if one == word]
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            said.append(f"{_WORDS[word]}: {', '.join(map(called, names[:_NAMED]))}{more}")
    partly = sorted({cell.arm for cell in found.failed if words[cell.arm] != "failed"})
    if partly:
        said.append(f"Failed under some seeds: {', '.join(map(called, partly[:_NAMED]))}")
    bad = {"worse", "failed"} & set(words.values())
    return Verdict(f"{'. '.join(said)}.", "good" if "better" in words.values() else "bad" if bad else "plain")


_WORDS: Final = {
    "better": "Better than its control",
    "worse": "Worse than its control",
    "not distinguishable": "Not distinguishable from its control",
    "no verdict": "Without a verdict",
    "failed": "Failed",
}


def verdicts(found: Comparison) -> Section:
    """Return what can be said of each arm."""
    first = found.judgements[0]
    n = {one.rows for arm in found.arms if (one := first.arms[arm.name].difference) is not None}
    rows: list[tuple[Cell, ...]] = []
    for arm in found.arms:
        figures, word = first.arms[arm.name], found.word(arm)
        difference = figures.difference
        rows.append(
            (
                called(arm.name),
                Word(word, TONES[word], _below(arm, word)),
                value(figures.mean),
                change(figures),
                interval(figures) if arm.control is not None and word != "failed" else "",
                p_value(figures),
                f"{len(figures.values)} of {len(found.seeds)}",
                *([] if len(n) < 2 else ["" if difference is None else f"{difference.rows:,}"]),
            )
        )
    header = ["arm", "verdict", "mean", "difference", "95 % interval", "p, adjusted", "seeds", *["n"][: len(n) > 1]]
    over = "n the rows" if len(n) > 1 else f"over the {counted(min(n), 'row')}" if n else "over the rows"
    blocks: list[Block] = [
        Table(
            header,
            rows,
            f"By {first.metric.name}, {first.metric.better} is better; the difference is that of arm and control, "
            f"{over} that both were evaluated on.",
            frozenset({2, 3, 5, 6, 7}),
            cards=True,
        ),
        Text(
            "An arm is called better or worse where a difference as large as its own would come about by chance in at "
            "most 5 % of comparisons, adjusted for the number of arms (Holm). An interval is that of its arm alone, so "
            "that it may leave out zero where the adjusted verdict does not. Not distinguishable does not mean equal: "
            "the interval tells what is still possible."
        ),
    ]
    if len(found.seeds) < 2:
        blocks.append(
            Text("With one seed intervals are over rows alone: what training anew would give may lie outside of them.")
        )
    return Section("Verdicts", f"Which arm is better than what it is compared with, by {first.metric.name}.", blocks)


def _below(arm: Arm, word: Said) -> str:
    if arm.control is None:
        return ""
    link = {"better": "than", "worse": "than", "not distinguishable": "from"}.get(word, "beside")
    return f"{link} {called(arm.control)}"


def compared(found: Comparison) -> Section:
    """Return what is the same for all arms, by which they can be compared."""
    first, about = found.judgements[0].metric, found.about
    rows = [
        ("base model", _named(about.get("model"))),
        ("tokens", f"each arm consumes {found.tokens:,}, to half a step of each of its runs"),
        ("seeds", f"{', '.join(map(str, found.seeds))}: of the selection, the first weights and dropout"),
        ("evaluated on", f"the same {counted(found.rows, 'row')} of {_named(about.get('held_out'))} for every arm"),
        ("kept apart", _apart(found)),
        ("verdicts by", f"{first.name}, over {first.over}: {first.definition}"),
    ]
    blocks: list[Block] = [Table(("", ""), rows, "What holds for all arms.")]
    if "pool" in about:
        steps = [dict(step) for step in about["pool"]]
        blocks.append(Code(dump_yaml({"steps": steps}).rstrip(), "The pool.", "What every arm chooses its rows from."))
    return Section("What was compared", "What is the same for every arm, so that what differs is the method.", blocks)


def _named(text: Any) -> str:
    """Return a name, of a path its last two parts: where else it lay is nobody's concern who reads the page."""
    name = displayed(text or "not known")
    parts = [part for part in name.split("/") if part]
    return "/".join(parts[-2:]) if name.startswith("/") and parts else name


def _apart(found: Comparison) -> str:
    said = "rows of the pool that repeat rows to evaluate on, or nearly do, train no arm"
    counts = list(dict.fromkeys(_left_out(found)))
    return f"{said}: {counted(counts[0], 'row')} left for that" if len(counts) == 1 else said


def _left_out(found: Comparison) -> Iterator[int]:
    """Yield of each selection how many rows left it as they repeat rows to evaluate on."""
    folder = ComparisonFolder(found.folder)
    for cell in found.cells:
        path = selection_file(folder.cell(cell.arm, cell.seed))
        try:
            nodes: Any = (read_manifest(path, verify=False) or {}).get("nodes", [])
            yield from (int(one["rows_in"]) - int(one["rows_out"]) for one in nodes if one["stage"] == "holdout")
        except (SageError, OSError, KeyError, TypeError, ValueError, AttributeError):
            continue
