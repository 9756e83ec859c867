"""Errors say where, what was expected, what came and what to do."""

from __future__ import annotations

from sage_select.errors import DataError, UsageError, Where, nearest


def test_a_message_names_the_place() -> None:
    error = DataError(
        "a score must be finite",
        where=Where("rows.jsonl", row=4, line=6, column="loss"),
        expected="a number",
        got="nan",
        hint="mend it",
    )
    assert str(error) == (
        "rows.jsonl, row 4, line 6, column 'loss': a score must be finite\n"
        "  expected: a number\n  got: nan\n  hint: mend it"
    )
    assert error.exit_code == 3


def test_parts_that_are_not_known_are_left_out() -> None:
    assert str(UsageError("no such file", where="a.csv")) == "a.csv: no such file"
    assert str(UsageError("wrong")) == "wrong"


def test_nearest_names_a_close_word_only() -> None:
    assert nearest("loss_topkk", ["loss_topk", "random"]) == "did you mean 'loss_topk'?"
    assert nearest("zzz", ["loss_topk", "random"]) is None
