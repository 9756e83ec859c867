"""The record: tables with intervals, and whether what is required holds."""

from __future__ import annotations

from collections.abc import Iterator

from benches.quality.arms import ARMS, RANDOM
from benches.quality.cases import CASES
from benches.quality.outcomes import Outcomes
from benches.quality.required import verdicts

__all__ = ["report"]

HEAD = """# Does the selection help?

Written by `make bench-quality`. A rule picks rows; logistic regression (C = 20) on the MiniLM vectors of these rows
alone is tested on rows that nobody chose from. Accuracy in points, means over {seeds} with 95 % intervals (Student's),
sizes in rows a class; "- random" is the mean of the differences to random picks with the same seed; "sound" is the
share of picks, in percent, that are rightly labelled and no copy of another. Losses, where a rule uses them, are those
of a classifier that saw 5 % of the rows, drawn at random. A rule that does not depend on the seed moves with the case
alone: its interval is 0 where nothing was spoiled. docs/quality.md tells what follows from it.
"""


def report(outcomes: Outcomes, split: str, seeds: int, machine: str) -> str:
    """Return the record as Markdown; `machine` says when and where it was measured."""
    lines = [HEAD.format(seeds=f"{seeds} seeds" if seeds > 1 else "1 seed"), machine, ""]
    lines += [f"## Required on the {split} rows", "", *(f"- {line}" for line in verdicts(outcomes))]
    for case in CASES:
        if outcomes.sizes(case):
            lines += ["", f"## {case}", "", *_table(outcomes, case)]
    return "\n".join(lines) + "\n"


def _table(outcomes: Outcomes, case: str) -> Iterator[str]:
    sizes = outcomes.sizes(case)
    spoiled = any(outcome.sound < 1 for size in sizes for outcome in outcomes.arms(case, size)[RANDOM])
    columns = ["{} x", "- random", "sound"] if spoiled else ["{} x", "- random"]
    yield f"| rule | {' | '.join(column.format(size) for size in sizes for column in columns)} |"
    yield "|---|" + "--:|" * len(columns) * len(sizes)
    for arm in (arm for arm in ARMS if arm in outcomes.arms(case, sizes[0])):
        cells = []
        for size in sizes:
            cells += [str(outcomes.accuracy(case, size, arm)), str(outcomes.difference(case, size, arm, RANDOM))]
            cells += [f"{outcomes.sound(case, size, arm).mean:.0f}"] if spoiled else []
        yield f"| {arm} | {' | '.join(cells)} |"
