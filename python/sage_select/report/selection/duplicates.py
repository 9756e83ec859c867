"""The duplicates that left, with pairs of them, and those that stayed."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sage_select.display import counted
from sage_select.report.blocks import Absent, Block, RowText, Section, Table, Text
from sage_select.report.selection.facts import NO_ROW_REPORT, Facts

__all__ = ["duplicates"]

#: Pairs that are shown: those that are least alike, and those in the middle.
_LEAST_ALIKE: Final = 4
_AMONG: Final = 3
_GROUPS: Final = 5
_IDENTICAL: Final = 1.0 - 1e-6


def duplicates(facts: Facts) -> Section:
    """Return the section on duplicates."""
    blocks: list[Block] = []
    told: dict[str, Any] = facts.manifest["evidence"].get("dedup") or {}
    report = facts.report
    if report is None:
        blocks.append(Absent("the pairs", NO_ROW_REPORT))
    elif report["duplicate_of"].null_count == report.num_rows:
        searched = (
            f"no row repeats another (--dedup {told.get('mode', 'exact')})"
            if _searched(facts)
            else "nothing looked for copies (--dedup none)"
        )
        blocks.append(Absent("pairs of duplicates", f"{searched}."))
    else:
        blocks += _pairs(facts, report)
    if groups := told.get("largest_groups"):
        blocks.append(_groups(facts, groups, told.get("groups", 0)))
    blocks.append(_staying(facts))
    return Section(
        "Duplicates", "Which rows left because they say what another row says, and how many of these stayed.", blocks
    )


def _searched(facts: Facts) -> bool:
    return any(part.name == "dedup" and not part.idle for _, part in facts.steps)


def _pairs(facts: Facts, report: pa.Table) -> list[Block]:
    rows = np.flatnonzero(pc.is_valid(report["duplicate_of"]).to_numpy())
    similarity = pc.fill_null(report["similarity"], 1.0).to_numpy()[rows]
    ordered = rows[np.argsort(similarity, kind="stable")]
    near = int((similarity < _IDENTICAL).sum())
    middle = ordered[near // 2 :][:_AMONG] if near > 2 * _LEAST_ALIKE else ordered[near:][:_AMONG]
    shown = list(dict.fromkeys([*ordered[:_LEAST_ALIKE].tolist(), *middle.tolist()]))
    originals = pc.index_in(
        report["duplicate_of"].take(pa.array(shown, pa.int64())), value_set=report["sage_row_id"].combine_chunks()
    ).to_pylist()
    cells = []
    for row, one, other in zip(shown, facts.words(shown), facts.words(originals), strict=True):
        value = report["similarity"][row].as_py()
        cells.append(
            (
                "the same" if value is None or value >= _IDENTICAL else f"{value:.3f}",
                RowText(one),
                RowText(other),
            )
        )
    return [
        Text(
            f"{counted(len(rows), 'row')} left as copies: {len(rows) - near:,} say the same as another, "
            f"{near:,} almost the same."
        ),
        Table(
            ("similarity", "the row that left", "the row that stayed for it"),
            cells,
            "Pairs, those least alike first: if these are no copies, the threshold (--dedup-threshold) is too low.",
            frozenset({0}),
            cards=True,
        ),
    ]


def _groups(facts: Facts, groups: list[dict[str, Any]], count: int) -> Table:
    words: list[str | None] = [None] * len(groups)
    if facts.report is not None:
        ids = facts.report["sage_row_id"].combine_chunks()
        places = pc.index_in(pa.array([one["kept"] for one in groups], pa.string()), value_set=ids).to_pylist()
        words = facts.words(places)
    rows = [(f"{one['rows']:,}", one["kept"], RowText(text)) for one, text in zip(groups, words, strict=True)]
    return Table(
        ("rows", "the one that stayed", "it begins"),
        rows[:_GROUPS],
        f"The largest of {counted(count, 'group')} of rows that say the same.",
        frozenset({0}),
        cards=True,
    )


def _staying(facts: Facts) -> Block:
    covered = facts.metrics.get("coverage")
    what = "how many near copies stayed"
    if not covered:
        return Absent(what, facts.metrics["verdict"]["text"] if facts.metrics else facts.why_no_metrics)
    picked = covered["figures"].get("duplicates")
    of_all = covered.get("duplicates_of_all")
    parts = []
    if picked is not None:
        random = picked["random"]
        beside = "" if random is None else f" (of random rows {random['mean']:.1%})"
        parts.append(f"{picked['selected']:.1%} of the picks have another pick next to them{beside}")
    if of_all is not None:
        parts.append(f"about {of_all:.1%} of all rows that were chosen from have another row next to them")
    limit = (
        "a similarity of 0.95 or more" if covered["metric"] == "cosine" else "a twentieth of the usual squared distance"
    )
    return (
        Text(f"Of near copies that stayed: {'; '.join(parts)}. Next to each other means {limit}.")
        if parts
        else Absent(what, "there were too many rows to compare.")
    )
