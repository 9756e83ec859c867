"""Budgets: counts and exact shares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.errors import UsageError
from sage_select.values.budget import Budget


@pytest.mark.parametrize(
    ("text", "available", "rows"),
    [("10%", 1234, 123), ("300", 1000, 300), (0.1, 99, 9), ("12.5%", 16, 2), ("0.25", 8, 2), (0, 5, 0), ("1%", 3, 1)],
)
def test_rows(text: object, available: int, rows: int) -> None:
    assert Budget.parse(text).rows(available) == rows


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("200k tokens", 200_000), ("1.5M tokens", 1_500_000), ("1 token", 1), ("2_000tokens", 2000), ("0 tokens", 0)],
)
def test_tokens(text: str, tokens: int) -> None:
    budget = Budget.parse(text)
    assert budget.tokens == tokens
    assert budget.rows(7) == 7
    assert Budget.parse(str(budget)) == budget


def test_an_empty_pool_gives_no_rows() -> None:
    assert Budget.parse("10%").rows(0) == 0
    assert Budget.parse("0%").rows(10) == 0


@pytest.mark.parametrize(
    "text",
    [
        "0.5 tokens",
        "tokens",
        "-5 tokens",
        "3 k k tokens",
        "5 kilotokens",
        "-1",
        "110%",
        1.5,
        "ten",
        "",
        "10 rows",
        -3,
        True,
        float("nan"),
        float("inf"),
        2**128,
        "9" * 5000,
        "1e3",
        None,
    ],
)
def test_what_is_no_budget_is_refused(text: object) -> None:
    with pytest.raises(UsageError, match="no budget"):
        Budget.parse(text)


def test_more_than_there_is_needs_clamp() -> None:
    with pytest.raises(UsageError, match="more than the 3 rows"):
        Budget.parse(2**63).rows(3)
    assert Budget.parse(2**63).rows(3, clamp=True) == 3


@given(st.integers(0, 100), st.integers(0, 10**9))
def test_shares_are_floored_exactly(percent: int, available: int) -> None:
    rows = Budget.parse(f"{percent}%").rows(available)
    exact = available * percent // 100
    assert rows == (min(available, max(1, exact)) if percent else 0)


@given(st.one_of(st.integers(0, 2**70), st.decimals(0, 100, places=3).map(lambda share: f"{share}%")))
def test_text_reads_back(value: object) -> None:
    budget = Budget.parse(value)
    assert Budget.parse(str(budget)) == budget
