"""What differs between two selections: which rows, in which order, for which reasons, of which groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sage_select import io
from sage_select.columns import PREFIX
from sage_select.data import NOT_SELECTED
from sage_select.errors import UsageError, nearest
from sage_select.values.order import kendall_tau

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Opened", "compare_selections"]

_ID: Final = f"{PREFIX}row_id"
_RANK: Final = f"{PREFIX}rank"
_POSITION: Final = f"{PREFIX}position"
#: Shares of these are compared unasked, where both selections have them.
_GROUPS: Final = (f"{PREFIX}reason", f"{PREFIX}origin", f"{PREFIX}source")
#: What the row report tells of a row that was not selected.
_FATE: Final = ("stage", "reason", "duplicate_of", "nearest_pick")


@dataclass(frozen=True)
class Opened:
    """A selection that was read.

    Attributes
    ----------
    name
        What it is called.
    table
        Its rows.
    manifest
        What was done.
    report
        What became of every row of the input; None where it was not written.
    """

    name: str
    table: pa.Table
    manifest: Mapping[str, Any]
    report: pa.Table | None

    @classmethod
    def read(cls, path: Path, *, progress: Any = None, verify: bool = True) -> Opened:
        """Read an output of a build with its manifest and, where there is one, its row report.

        Raises
        ------
        UsageError
            If it is no output of a build.
        DataError
            If it is not as it was written.
        """
        rows, manifest, report = io.open_with_report(path, progress=progress, verify=verify)
        if manifest is None or "program" not in manifest or _ID not in rows.table.column_names:
            raise UsageError(
                "is no selection",
                where=str(path),
                expected="an output of sage-select build with its manifest, or a spec (.yaml, .yml or .toml)",
            )
        return cls(str(path), rows.table, manifest, None if report is None else report.table)


def compare_selections(a: Opened, b: Opened, by: Sequence[str] = ()) -> dict[str, Any]:
    """Return which rows differ between two selections, as JSON values.

    Parameters
    ----------
    a, b
        The selections.
    by
        Columns of both whose values are counted.

    Returns
    -------
    facts
        `rows`: of each, in both, only in one, their Jaccard index (None where no row of the one input is in the other)
        and, where the last choice of both was among the same rows, how many would be in both by chance. `order`:
        Kendall's tau of the order of picks and of training, over the rows in both (None of fewer than two). `groups`:
        column -> values with their counts and shares in each, what differs most first. `only_a`, `only_b`: the rows
        that only one has, with what became of each in the other.

    Raises
    ------
    UsageError
        If a column of `by` is missing.
    """
    import polars as pl

    ids = [pl.Series("id", _texts(one.table[_ID])) for one in (a, b)]
    pools = [None if one.report is None else pl.Series("id", _texts(one.report[_ID])) for one in (a, b)]
    both = ids[0].filter(ids[0].is_in(ids[1].implode()))
    only = [one.filter(~one.is_in(other.implode())) for one, other in (ids, ids[::-1])]
    shared = _shared(pools)
    # Of rows that are no rows of the other input an overlap says nothing.
    apart = (shared == 0) if shared is not None else not len(both) and _inputs_differ(a, b)
    union = len(both) + len(only[0]) + len(only[1])
    rows = {
        "a": len(ids[0]),
        "b": len(ids[1]),
        "both": len(both),
        "only_a": len(only[0]),
        "only_b": len(only[1]),
        "jaccard": None if apart or not union else len(both) / union,
        "input_a": a.manifest["rows"]["in"],
        "input_b": b.manifest["rows"]["in"],
        "input_both": shared,
        "by_chance": None,
        "other_data": bool(apart),
    }
    among = [_candidates(one) for one in (a, b)]
    if among[0] is not None and among[1] is not None and len(among[0]) and among[0].equals(among[1]):
        rows["by_chance"] = len(ids[0]) * len(ids[1]) / len(among[0])
    return {
        "rows": rows,
        "order": {
            "picks": _tau(a.table, b.table, _RANK),
            "training": _tau(a.table, b.table, _POSITION),
        },
        "groups": {name: _shares(a, b, name) for name in _columns(a, b, by)},
        "only_a": _fates(only[0], a, b),
        "only_b": _fates(only[1], b, a),
    }


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string())


def _inputs_differ(a: Opened, b: Opened) -> bool:
    return bool(a.manifest["inputs"].get("source") != b.manifest["inputs"].get("source"))


def _shared(pools: Sequence[pl.Series | None]) -> int | None:
    """Return how many rows both inputs have; None where a row report is missing."""
    one, two = pools
    return None if one is None or two is None else int(one.is_in(two.implode()).sum())


def _candidates(one: Opened) -> pl.Series | None:
    """Return the rows among which the last choice was made, by their ids; None where no row report tells."""
    import polars as pl

    if one.report is None:
        return None
    chosen = pc.or_(one.report["kept"], pc.fill_null(pc.equal(one.report["reason"], NOT_SELECTED), False))
    return pl.Series("id", _texts(one.report[_ID]).filter(chosen)).sort()


def _tau(a: pa.Table, b: pa.Table, column: str) -> float | None:
    """Return Kendall's tau of the order that a column of both gives to the rows in both."""
    import polars as pl

    if column not in a.column_names or column not in b.column_names:
        return None
    frames = [
        pl.DataFrame({"id": pl.Series(_texts(one[_ID])), place: pl.Series(one[column])})
        for one, place in ((a, "a"), (b, "b"))
    ]
    ranked = frames[0].join(frames[1], on="id").drop_nulls().sort("a", "id")
    return kendall_tau(np.argsort(np.argsort(ranked["b"].to_numpy(), kind="stable"), kind="stable"))


def _columns(a: Opened, b: Opened, by: Sequence[str]) -> list[str]:
    """Return the columns whose shares are compared."""
    for name in by:
        for one in (a, b):
            if name not in one.table.column_names:
                raise UsageError(
                    f"there is no column {name!r} to compare by",
                    where=one.name,
                    expected=f"one of {', '.join(one.table.column_names)}",
                    hint=nearest(name, one.table.column_names),
                )
            kind = one.table[name].type
            if pa.types.is_nested(kind) or pa.types.is_binary(kind):
                raise UsageError(
                    f"the column {name!r} has no groups",
                    where=one.name,
                    expected="a column of text, numbers or truth values",
                    got=str(kind),
                )
    asked = [name for name in _GROUPS if name in a.table.column_names and name in b.table.column_names]
    return list(dict.fromkeys([*asked, *by]))


def _shares(a: Opened, b: Opened, column: str) -> list[dict[str, Any]]:
    """Return the values of a column with their counts and shares in both, what differs most first."""
    import polars as pl

    counts = [
        pl.DataFrame({"value": pl.Series(_texts(one.table[column]))}).group_by("value").len(place)
        for one, place in ((a, "a"), (b, "b"))
    ]
    n = [max(1, one.table.num_rows) for one in (a, b)]
    joined = (
        counts[0]
        .join(counts[1], on="value", how="full", coalesce=True, nulls_equal=True)
        .with_columns(pl.col("a", "b").fill_null(0))
        .with_columns(share_a=pl.col("a") / n[0], share_b=pl.col("b") / n[1])
        .with_columns(moved=(pl.col("share_b") - pl.col("share_a")))
        .sort(pl.col("moved").abs().round(12), pl.col("a") + pl.col("b"), "value", descending=[True, True, False])
    )
    return joined.to_dicts()


def _fates(ids: pl.Series, own: Opened, other: Opened) -> list[dict[str, Any]]:
    """Return the rows that only `own` has, in the order of its picks: why they are there, and why not in the other.

    `stage` and `reason` are None where the other selection has no row report, or its input has no such row
    (`in_input`).
    """
    import polars as pl

    table = own.table
    frame = pl.DataFrame(
        {
            "id": pl.Series(_texts(table[_ID])),
            "rank": pl.Series(table[_RANK]),
            "selected_by": pl.Series(_texts(table[f"{PREFIX}reason"])),
        }
    )
    frame = frame.filter(pl.col("id").is_in(ids.implode())).sort("rank", "id")
    words = own.report if own.report is not None else other.report
    if words is not None:
        begins = pl.DataFrame({"id": pl.Series(_texts(words[_ID])), "first_words": pl.Series(words["first_words"])})
        frame = frame.join(begins, on="id", how="left", maintain_order="left")
    else:
        frame = frame.with_columns(first_words=pl.lit(None, pl.String))
    if other.report is None:
        nothing = {name: pl.lit(None, pl.String) for name in _FATE}
        return frame.with_columns(in_input=pl.lit(None, pl.Boolean), **nothing).to_dicts()
    report = other.report
    fate = pl.DataFrame(
        {
            "id": pl.Series(_texts(report[_ID])),
            "in_input": pl.repeat(True, report.num_rows, eager=True),
            **{name: pl.Series(report[name]) for name in _FATE if name in report.column_names},
        }
    )
    joined = frame.join(fate, on="id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("in_input").fill_null(False)).to_dicts()
