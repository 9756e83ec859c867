"""Figures: which rows they rest on, when they have an interval, and that nothing heavy is loaded for them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sage_select.evaluate import ToolCall
from sage_select.evaluate.metrics import ToolRecord, figure, row_sums, tool_metrics

ACCURACY = tool_metrics()[0]
A, B = (ToolCall("a"),), (ToolCall("b"),)


def test_rows_are_the_units() -> None:
    records = [ToolRecord(f"{number // 3}", number, A, A if number % 4 else B) for number in range(36)]
    found = figure(ACCURACY, [*records, ToolRecord("other", 0, (), ())])
    assert (found.value, found.rows, found.records) == (0.75, 12, 36)
    sums = row_sums(ACCURACY, records)
    assert sums.row_ids == tuple(sorted(map(str, range(12))))
    assert sums.sums.sum(axis=0).tolist() == [27, 36]


def test_the_interval_of_single_turns_is_the_exact_one() -> None:
    records = [ToolRecord(f"{number}", 1, A, A if number < 8 else B) for number in range(10)]
    assert figure(ACCURACY, records).interval.bounds == pytest.approx((0.4439, 0.9748), abs=1e-4)
    all_right = figure(ACCURACY, [ToolRecord(f"{number}", 1, A, A) for number in range(10)])
    assert all_right.interval.bounds == pytest.approx((0.6915, 1), abs=1e-4)


def test_turns_of_a_row_that_are_alike_count_once() -> None:
    single = [ToolRecord(f"{number}", 1, A, A if number % 2 else B) for number in range(12)]
    often = [ToolRecord(one.row_id, message, one.expected, one.predicted) for one in single for message in range(9)]
    assert figure(ACCURACY, often).interval.bounds == pytest.approx(figure(ACCURACY, single).interval.bounds)


def test_there_may_be_no_interval() -> None:
    nine = [ToolRecord(f"{number}", 1, A, A) for number in range(9)]
    assert figure(ACCURACY, nine).interval.why_none == "too few rows for an interval (9 of at least 10)"
    half = [ToolRecord(f"{number // 2}", number, A, A if number % 2 else B) for number in range(40)]
    found = figure(ACCURACY, half)
    assert found.value == 0.5
    assert found.interval.why_none == "the value is the same whichever row is left out"


def test_rounding_of_sums_is_no_variance() -> None:
    recall = next(metric for metric in tool_metrics() if metric.name == "tool_recall_at_1")
    ten = tuple(map(ToolCall, "abcdefghij"))
    found = figure(recall, [ToolRecord(f"{number}", 1, ten, A) for number in range(37)])
    assert found.value == pytest.approx(0.1)
    assert found.interval.why_none == "the value is the same whichever row is left out"


def test_parts_that_say_nothing_are_left_out() -> None:
    assert figure(ACCURACY, []).as_dict() == {
        "value": None,
        "why_none": "no turn with a call is judged",
        "interval_none": "there is no value",
        "rows": 0,
        "records": 0,
    }
    found = figure(ACCURACY, [ToolRecord(f"{number}", 1, A, A) for number in range(10)]).as_dict()
    assert found.keys() == {"value", "interval", "rows", "records"}


def test_metrics_load_no_model_library() -> None:
    code = (
        "import sys, sage_select.evaluate.metrics, sage_select.evaluate.statistics, sage_select.evaluate.bfcl;"
        "print(*{'torch', 'transformers', 'trl', 'peft', 'datasets'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
