"""Plans: values worked out by hand, and fast ways against slow ones."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.evaluate import ToolCall
from sage_select.evaluate.metrics import PLANNING, ToolRecord, figure, joined_by_row
from sage_select.evaluate.metrics.sequences import common_length, edit_distance, edit_similarity, lcs_ratio


def plan(expected: str, predicted: str, failures: int = 0, message: int = 0) -> ToolRecord:
    return ToolRecord("row", message, tuple(map(ToolCall, expected)), tuple(map(ToolCall, predicted)), failures)


def values(*records: ToolRecord) -> tuple[float | None, ...]:
    return tuple(figure(metric, records).value for metric in PLANNING)


@pytest.mark.parametrize(
    ("expected", "predicted", "found"),
    [
        # exact, step accuracy, 2 x LCS / lengths, edit similarity
        ("abc", "abc", (1, 1, 1, 1)),
        ("abc", "xabc", (0, 0, 6 / 7, 3 / 4)),
        ("abc", "abcx", (0, 1, 6 / 7, 3 / 4)),
        ("abc", "acb", (0, 1 / 3, 4 / 6, 1 / 3)),
        ("abc", "", (0, 0, 0, 0)),
        ("aa", "a", (0, 1 / 2, 2 / 3, 1 / 2)),
        ("ab", "cd", (0, 0, 0, 0)),
        ("\u00fc\U0001f600", "\U0001f600", (0, 0, 2 / 3, 1 / 2)),
    ],
)
def test_plans(expected: str, predicted: str, found: tuple[float, ...]) -> None:
    assert values(plan(expected, predicted)) == pytest.approx(found)


def test_several_plans() -> None:
    # Steps are counted over all plans, ratios are a mean of plans.
    assert values(plan("abcd", "abcd"), plan("a", "b")) == pytest.approx((1 / 2, 4 / 5, 1 / 2, 1 / 2))


def test_nothing_expected_is_no_plan() -> None:
    assert values(plan("", ""), plan("", "a")) == (None,) * 4
    assert values(plan("", "a"), plan("a", "a")) == (1, 1, 1, 1)


def test_what_is_unreadable_is_no_step_and_nothing_exact() -> None:
    assert values(plan("a", "a", failures=1)) == (0, 1, 1, 1)


def test_the_plan_of_a_whole_row() -> None:
    turns = [plan("b", "b", message=3), plan("a", "ab", message=1)]
    assert values(*turns) == pytest.approx((1 / 2, 1, (2 / 3 + 1) / 2, 3 / 4))
    assert values(*joined_by_row(turns)) == pytest.approx((0, 1, 4 / 5, 2 / 3))


def test_empty_sequences() -> None:
    assert (lcs_ratio("", ""), edit_similarity("", "")) == (1, 1)
    assert (lcs_ratio("", "a"), edit_similarity("a", "")) == (0, 0)


sequences = st.text("abc", max_size=9)


@given(sequences, sequences)
def test_the_common_subsequence_is_the_longest(one: str, other: str) -> None:
    @cache
    def slow(i: int, j: int) -> int:
        if not i or not j:
            return 0
        if one[i - 1] == other[j - 1]:
            return slow(i - 1, j - 1) + 1
        return max(slow(i - 1, j), slow(i, j - 1))

    assert common_length(one, other) == slow(len(one), len(other))


@given(sequences, sequences)
def test_edits_are_the_fewest(one: str, other: str) -> None:
    @cache
    def slow(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(slow(i - 1, j) + 1, slow(i, j - 1) + 1, slow(i - 1, j - 1) + (one[i - 1] != other[j - 1]))

    assert edit_distance(one, other) == slow(len(one), len(other))
