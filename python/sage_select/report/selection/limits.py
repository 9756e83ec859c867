"""Quotas: what was asked of each value of a column, and what it got."""

from __future__ import annotations

from typing import Any, Final

from sage_select.display import counted
from sage_select.report.blocks import Absent, Block, Figure, RowText, Section, Table, Text
from sage_select.report.charts.shares import Share, Shares
from sage_select.report.selection.facts import Facts

__all__ = ["limits"]

_DRAWN: Final = 14
_LISTED: Final = 24


def limits(facts: Facts) -> Section:
    """Return the section on quotas."""
    grouped = facts.metrics.get("groups")
    quota = getattr(facts.choice, "quota", None)
    lead = "Which values of a column had to have how many rows, and which they have."
    if quota is None:
        return Section("Quotas", lead, [Absent("quotas", "none were asked for (--quota COLUMN=FEWEST:MOST)")])
    if not grouped:
        return Section("Quotas", lead, [Text(f"Asked for: {quota}."), Absent("the counts", facts.why_no_metrics)])
    counts: dict[str, dict[str, Any]] = grouped["counts"]
    asked = (
        "as even as can be"
        if quota.balanced
        else f"{_or(quota.minimum, 'no fewest')} to {_or(quota.maximum, 'no most')}"
    )
    pool, picks = max(1, facts.pool_n), max(1, facts.kept)
    rows = [
        (
            RowText(name, 80),
            f"{one['all']:,}",
            f"{one['selected']:,.0f}",
            "" if one["random"] is None else f"{one['random']['mean']:,.1f}",
            _kept(quota, one),
        )
        for name, one in counts.items()
    ]
    without = grouped["without_picks"]
    groups = f"{counted(grouped['groups'], 'value')} of the column {quota.column!r}, of each {asked}"
    blocks: list[Block] = [
        Text(f"{groups}; {without:,} of them have no row selected."),
        Figure(
            "quotas",
            Shares(
                [Share(name, one["all"] / pool, one["selected"] / picks) for name, one in list(counts.items())[:_DRAWN]]
            ),
            f"For each of the largest values of {quota.column}: its share of all rows and of the picks.",
            "A line from the share that a value has of all rows to its share of the picks: a long one is what the "
            "quota, or the strategy, changed.",
        ),
        Table(
            ("value", "rows", "given", "random rows would have", "as asked"),
            rows[:_LISTED],
            f"The largest values first{'' if len(rows) <= _LISTED else f', {_LISTED} of {len(rows)} shown'}.",
            frozenset({1, 2, 3}),
            cards=True,
        ),
    ]
    return Section("Quotas", lead, blocks)


def _or(count: int | None, none: str) -> str:
    return none if count is None else f"{count:,}"


def _kept(quota: Any, one: dict[str, Any]) -> str:
    """Return whether a value got what was asked for it."""
    got = one["selected"]
    if quota.minimum is not None and got < quota.minimum:
        return "fewer than asked: there were no more" if got >= one["all"] else "fewer than asked"
    if quota.maximum is not None and got > quota.maximum:
        return "more than asked: pinned rows count"
    return "yes"
