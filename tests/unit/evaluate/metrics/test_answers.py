"""Answers: numbers as they are written, and labels."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sage_select.evaluate.metrics import EXACT_ANSWER, AnswerRecord, figure, final_number, label_metrics, labels_of


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("#### 42", "42"),
        ("9 x 5 = 45\n#### 1,042", "1042"),
        ("#### 42.", "42"),
        ("#### 42.50", "42.5"),
        ("#### .5", "0.5"),
        ("#### -7", "-7"),
        ("#### \u22127", "-7"),
        ("#### +7", "7"),
        ("#### $1,234,567.89", "1234567.89"),
        ("#### -$5", "-5"),
        ("#### $-5", "-5"),
        (r"#### \$18", "18"),
        ("#### \u20ac 12", "12"),
        ("#### 25%", "25"),
        ("#### 42 apples", "42"),
        ("#### 40 + 2 = 42", "42"),
        ("#### 5 - 3", "3"),
        ("#### 10-5", "5"),
        ("#### x=-3", "-3"),
        ("#### - 42", "42"),
        ("#### 1, 2, 3", "3"),
        ("#### 1,23", "23"),
        (r"\boxed{42}", "42"),
        ("#### 1 #### 2", "2"),
        ("#### \u0664\u0662", "42"),
        ("The answer is 42.", "42"),
        ("#### " + "9" * 40, "9" * 40),
        ("#### -" + "9" * 40, "-" + "9" * 40),
        ("#### forty-two", None),
        ("7 ####", None),
        ("", None),
    ],
)
def test_numbers(text: str, number: str | None) -> None:
    assert final_number(text) == (None if number is None else Decimal(number))


def test_a_number_may_have_to_be_marked() -> None:
    assert final_number("It is 7.", marked=True) is None
    assert final_number("#### 7", marked=True) == 7


def answer(expected: str, predicted: str, row: int = 0, *, at_limit: bool = False) -> AnswerRecord:
    return AnswerRecord(f"row {row:03}", 1, expected, predicted, at_limit)


def test_exact_answers() -> None:
    records = [
        answer("2 x 21\n#### 42", "so #### 42.0"),
        answer("#### 1,000", "It is $1000."),
        answer("#### 42", "#### 43"),
        answer("#### 42", "I do not know"),
        answer("no number", "no number"),
        answer("no mark: 42", "42"),
        answer("#### 4", "... which is 4", at_limit=True),
        answer("#### 4", "#### 4\nand then", at_limit=True),
    ]
    found = figure(EXACT_ANSWER, records)
    assert (found.value, found.records) == (pytest.approx(3 / 6), 6)
    assert figure(EXACT_ANSWER, records[4:5]).why_none == "no answer has a number behind ####"


def test_labels() -> None:
    records = [
        answer(expected, predicted, row)
        for row, (expected, predicted) in enumerate(
            [("a", "a"), ("a", "a"), ("a", "b"), ("b", "b"), ("answers", "c"), ("right", "right")]
        )
    ]
    assert labels_of(records) == ("a", "answers", "b", "right")
    accuracy, recall = (figure(metric, records) for metric in label_metrics(labels_of(records)))
    assert (accuracy.value, accuracy.baseline) == (pytest.approx(4 / 6), pytest.approx(3 / 6))
    assert (recall.value, recall.baseline) == (pytest.approx((2 / 3 + 0 + 1 + 1) / 4), pytest.approx(1 / 4))


def test_one_label_alone() -> None:
    records = [answer("a", "a", row) for row in range(12)]
    accuracy = figure(label_metrics(labels_of(records))[0], records)
    assert (accuracy.value, accuracy.baseline, accuracy.baseline_none) == (1, None, "one label alone is expected")


def test_no_labels() -> None:
    for metric in label_metrics(labels_of([])):
        assert figure(metric, []).why_none == "no row has a label"
