"""Rows that were kept and rows that were left, with the reasons."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sage_select import kernels
from sage_select.display import displayed
from sage_select.errors import SageError
from sage_select.render import Shape, plain_texts
from sage_select.report.blocks import Absent, Block, Cell, RowText, Section, Table
from sage_select.report.selection.facts import NO_ROW_REPORT, Facts
from sage_select.seeds import stage_key

__all__ = ["examples"]

_OF_REASON: Final = 4
_REASONS: Final = 4
_LEFT: Final = 3
_CAUSES: Final = 5
_WORDS: Final = 320


def examples(facts: Facts) -> Section:
    """Return the section with examples."""
    return Section(
        "Examples",
        "Some rows to read: the numbers above say how many, these say what.",
        [_kept(facts), _left(facts)],
    )


def _kept(facts: Facts) -> Block:
    if not facts.kept:
        return Absent("rows that were kept", "there are none")
    table = facts.table
    ranks = pc.fill_null(table["sage_rank"], 0).to_numpy()
    order = np.argsort(ranks, kind="stable")
    reasons = table["sage_reason"].to_pylist()
    shown: list[int] = []
    for reason in list(dict.fromkeys(reasons[row] for row in order))[:_REASONS]:
        of_reason = [int(row) for row in order if reasons[row] == reason]
        # The first picks, and some from the middle on: a rule's first choices are not its typical ones.
        middle = len(of_reason) // 2
        shown += list(dict.fromkeys([*of_reason[: _OF_REASON // 2], *of_reason[middle : middle + _OF_REASON // 2]]))
    taken = table.take(pa.array(shown, pa.int64()))
    words = _words(facts, taken)
    scored = taken["sage_score"].null_count < len(shown)
    rows: list[list[Cell]] = []
    for place, one in enumerate(taken.select(["sage_rank", "sage_reason", "sage_score"]).to_pylist()):
        score = [] if not scored else ["" if one["sage_score"] is None else f"{one['sage_score']:.4g}"]
        rows.append([f"{one['sage_rank'] + 1:,}", *score, displayed(one["sage_reason"]), RowText(words[place], _WORDS)])
    return Table(
        ("pick", *(["score"] if scored else []), "by", "words"),
        rows,
        "Rows that were kept: of each reason the first picks and some from the middle.",
        frozenset({0, 1} if scored else {0}),
        cards=True,
    )


def _words(facts: Facts, rows: pa.Table) -> list[str | None]:
    """Return the words of rows of the output, as far as they can be read."""
    try:
        texts: list[str | None] = plain_texts(rows, Shape.from_dict(facts.manifest["shape"])).to_pylist()
    except (SageError, KeyError, TypeError, ValueError, AttributeError):
        return [None] * rows.num_rows
    return texts


def _left(facts: Facts) -> Block:
    report = facts.report
    if report is None:
        return Absent("rows that were left out", NO_ROW_REPORT)
    kept = report["kept"].to_numpy()
    if kept.all():
        return Absent("rows that were left out", "every row was kept")
    draws = kernels.keyed_hashes(stage_key(facts.manifest["seed"], "report examples"), report["sage_row_id"])
    rows = []
    for cause, _ in facts.causes()[::-1][:_CAUSES]:
        own = pc.and_(pc.equal(report["stage"], cause.stage), pc.equal(report["reason"], cause.reason))
        places = np.flatnonzero(pc.fill_null(own, False).to_numpy() & ~kept)
        for place in places[np.argsort(draws[places], kind="stable")[:_LEFT]].tolist():
            row = report.slice(place, 1).to_pylist()[0]
            rows.append(
                (f"{displayed(cause.stage)}: {displayed(cause.reason)}", _beside(row), RowText(facts.words([place])[0]))
            )
    return Table(
        ("left out by", "because of", "it begins"),
        rows,
        "Rows that were left out, some of each reason drawn at random; sage-select why tells all of any row.",
        frozenset(),
        cards=True,
    )


def _beside(row: dict[str, Any]) -> str:
    if row["held_out_file"]:
        return f"a held-out row of {displayed(row['held_out_file'])}"
    if row["duplicate_of"]:
        return "a copy of a row that stayed"
    if row["nearest_similarity"] is not None:
        return f"its nearest pick has similarity {row['nearest_similarity']:.2f}"
    if row["nearest_distance"] is not None:
        return f"its nearest pick is at distance {row['nearest_distance']:.3g}"
    return f"score {row['score']:.4g}" if row["score"] is not None else ""
