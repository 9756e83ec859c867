"""Rows that differ between two selections, by polars and by plain sets."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select.difference import Opened, compare_selections
from sage_select.errors import UsageError


def selection(name: str, picks: list[int], pool: list[int] | None, source: str = "x", group: int = 3) -> Opened:
    """Return a selection of rows that are numbers; odd ones are of group `group`, others of none."""
    rng = np.random.default_rng(len(picks))
    table = pa.table(
        {
            "lang": pa.array([str(row % group) if row % 2 else None for row in picks], pa.string()),
            "sage_row_id": pa.array([f"r{row}" for row in picks], pa.string()),
            "sage_reason": pa.array(["score" if row < 5 else "diversity" for row in picks], pa.string()),
            "sage_rank": pa.array(range(len(picks)), pa.int64()),
            "sage_position": pa.array(rng.permutation(len(picks)), pa.int64()),
        }
    )
    report = None
    if pool is not None:
        kept = [row in picks for row in pool]
        report = pa.table(
            {
                "sage_row_id": pa.array([f"r{row}" for row in pool], pa.string()),
                "first_words": pa.array([f"row {row}" for row in pool], pa.string()),
                "kept": pa.array(kept, pa.bool_()),
                "stage": pa.array(
                    ["select" if row % 7 or one else "dedup" for row, one in zip(pool, kept, strict=True)], pa.string()
                ),
                "reason": pa.array(
                    [
                        "score" if one else "not selected" if row % 7 else "exact copy"
                        for row, one in zip(pool, kept, strict=True)
                    ],
                    pa.string(),
                ),
                "duplicate_of": pa.array(
                    [None if row % 7 or one else "r1" for row, one in zip(pool, kept, strict=True)], pa.string()
                ),
                "nearest_pick": pa.nulls(len(pool), pa.string()),
            }
        )
    manifest: dict[str, Any] = {"inputs": {"source": source}, "rows": {"in": 20 if pool is None else len(pool)}}
    return Opened(name, table, manifest, report)


PICKS = st.lists(st.integers(0, 19), unique=True, max_size=12)


@settings(deadline=None)
@given(PICKS, PICKS, st.booleans(), st.booleans())
def test_rows_are_compared_as_sets_are(one: list[int], two: list[int], reported: bool, shifted: bool) -> None:
    pools = [list(range(20)), list(range(1, 21) if shifted else range(20))]
    two = [row + 1 for row in two] if shifted else two
    a, b = (
        selection(n, picks, pool if reported else None) for n, picks, pool in zip("ab", (one, two), pools, strict=True)
    )
    found = compare_selections(a, b, ["lang"])
    rows = found["rows"]
    both, union = set(one) & set(two), set(one) | set(two)
    assert (rows["a"], rows["b"], rows["both"]) == (len(one), len(two), len(both))
    assert (rows["only_a"], rows["only_b"]) == (len(set(one) - set(two)), len(set(two) - set(one)))
    assert rows["jaccard"] == (len(both) / len(union) if union else None)
    if not reported:
        assert rows["by_chance"] is None
    elif not shifted and all(row % 7 or (row in one) == (row in two) for row in range(20)):
        among = sum(1 for row in range(20) if row % 7 or row in one)
        assert rows["by_chance"] == pytest.approx(len(one) * len(two) / among)
    order = [two.index(row) for row in one if row in both]
    pairs = [math.copysign(1, y - x) for x, y in itertools.combinations(order, 2)]
    assert found["order"]["picks"] == (pytest.approx(sum(pairs) / len(pairs)) if pairs else None)
    shares = {value["value"]: value for value in found["groups"]["lang"]}
    assert sum(value["a"] for value in shares.values()) == len(one)
    for value in shares.values():
        wanted = [sum((str(row % 3) if row % 2 else None) == value["value"] for row in picks) for picks in (one, two)]
        assert [value["a"], value["b"]] == wanted
        assert value["moved"] == pytest.approx(wanted[1] / max(1, len(two)) - wanted[0] / max(1, len(one)))
    moved = [abs(value["moved"]) for value in found["groups"]["lang"]]
    assert moved == sorted(moved, reverse=True) or np.allclose(moved, sorted(moved, reverse=True))
    gone = [row for row in one if row not in both]
    assert [row["id"] for row in found["only_a"]] == [f"r{row}" for row in gone]
    for row, told in zip(gone, found["only_a"], strict=True):
        assert told["rank"] == one.index(row)
        if not reported:
            assert (told["in_input"], told["stage"], told["first_words"]) == (None, None, None)
        elif row in pools[1]:
            assert told["in_input"] is True
            assert told["reason"] == ("not selected" if row % 7 else "exact copy")
            assert told["first_words"] == f"row {row}"
        else:
            assert (told["in_input"], told["reason"]) == (False, None)


def test_selections_of_other_data_have_no_overlap_figure() -> None:
    a, b = selection("a", [1, 2], [1, 2, 3]), selection("b", [11, 12], [11, 12, 13], source="y")
    rows = compare_selections(a, b)["rows"]
    assert (rows["other_data"], rows["jaccard"], rows["by_chance"], rows["input_both"]) == (True, None, None, 0)
    # Without row reports nobody knows, but from inputs that differ and no row in both.
    a, b = selection("a", [1, 2], None), selection("b", [11], None, source="y")
    assert compare_selections(a, b)["rows"]["other_data"] is True
    assert compare_selections(a, selection("b", [11], None))["rows"]["other_data"] is False
    assert compare_selections(a, selection("b", [2], None, source="y"))["rows"]["jaccard"] == 0.5


def test_columns_without_groups_are_refused() -> None:
    one = selection("a", [1], None)
    with pytest.raises(UsageError, match="did you mean 'lang'"):
        compare_selections(one, one, ["langs"])
    nested = Opened("n", one.table.append_column("m", pa.array([[1]])), one.manifest, None)
    with pytest.raises(UsageError, match="has no groups"):
        compare_selections(nested, nested, ["m"])
