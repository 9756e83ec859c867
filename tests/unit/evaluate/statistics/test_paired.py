"""Two models on the same rows: known values, slow twins, coverage, and what cannot be told."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

from sage_select.errors import UsageError
from sage_select.evaluate import ToolCall
from sage_select.evaluate.metrics import ToolRecord, difference, tool_metrics
from sage_select.evaluate.statistics import compare_rows, mcnemar, paired_bootstrap, rate_interval, swap_test

Floats = np.ndarray[Any, np.dtype[np.float64]]
METRICS = {metric.name: metric for metric in tool_metrics()}
A, B = (ToolCall("a"),), (ToolCall("b"),)


def rate(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def f1(sums: Floats) -> Floats:
    return 2 * rate(sums)


def rows_of(right: Any) -> Floats:
    found = np.asarray(right, np.float64)
    return np.stack([found, np.ones_like(found)], axis=-1)


def records(right: list[int], *, row: int = 0) -> list[ToolRecord]:
    return [ToolRecord(f"{row + number}", 1, A, A if one else B) for number, one in enumerate(right)]


def test_right_or_wrong_rows_have_mcnemars_test() -> None:
    arm, control = [1] * 14 + [0] * 6, [0] * 8 + [1] * 8 + [0] * 4  # 8 gained, 2 lost
    found = difference(METRICS["tool_accuracy"], [records(arm)], [records(control)])
    assert (found.arm, found.control, found.value) == (0.7, 0.4, pytest.approx(0.3))
    assert found.p_value == mcnemar(8, 2) == pytest.approx(0.109375)
    assert (found.test, found.covers, found.rows) == ("McNemar's exact test", "rows", 20)
    changes = np.array(arm, np.float64) - np.array(control)
    assert found.interval == rate_interval(changes, np.ones(20))
    assert (found.arm_seeds, found.arm_spread) == ((0.7,), None)


def test_the_swap_test_counts_what_all_swaps_would() -> None:
    generator = np.random.default_rng(0)
    arm, control = (np.stack([generator.integers(0, 3, 10), np.full(10, 4)], axis=1) * 1.0 for _ in range(2))
    arm[:, 0] += 1
    observed = abs(f1(arm.sum(axis=0)) - f1(control.sum(axis=0)))
    large = 0
    for swaps in itertools.product((False, True), repeat=10):
        swapped = np.array(swaps)[:, None]
        one, other = np.where(swapped, control, arm).sum(axis=0), np.where(swapped, arm, control).sum(axis=0)
        large += abs(f1(one) - f1(other)) >= observed - 1e-12
    assert swap_test(f1, arm, control, draws=20_000) == pytest.approx(large / 1024, abs=0.006)


def test_the_swap_test_is_mcnemars_where_that_applies() -> None:
    arm, control = rows_of([1] * 14 + [0] * 6), rows_of([0] * 8 + [1] * 8 + [0] * 4)
    assert swap_test(rate, arm, control, draws=20_000) == pytest.approx(mcnemar(8, 2), abs=0.008)


def test_the_bootstrap_draws_rows_for_both_models() -> None:
    generator = np.random.default_rng(1)
    arm = rows_of(generator.random(150))
    control = arm - [[0.25, 0]]  # whatever rows are drawn, the difference is the same
    assert paired_bootstrap(rate, arm, control).bounds == pytest.approx((0.25, 0.25))
    other = rows_of(generator.random(150))
    bounds = paired_bootstrap(rate, arm, other).bounds
    changes = arm[:, 0] - other[:, 0]
    half = 1.96 * changes.std() / np.sqrt(150)
    assert bounds == pytest.approx((changes.mean() - half, changes.mean() + half), abs=0.006)
    assert bounds == paired_bootstrap(rate, arm, other).bounds
    assert bounds != paired_bootstrap(rate, arm, other, seed=1).bounds


def test_blocks_of_draws_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    arm, control = rows_of(generator.integers(0, 3, 40)), rows_of(generator.integers(0, 3, 40))
    whole = paired_bootstrap(rate, arm, control, draws=500), swap_test(rate, arm, control, draws=500)
    monkeypatch.setattr("sage_select.evaluate.statistics.paired._CELLS", 700)
    assert whole == (paired_bootstrap(rate, arm, control, draws=500), swap_test(rate, arm, control, draws=500))


@pytest.mark.parametrize(("rows", "ours", "theirs"), [(10, 0.9, 0.8), (30, 0.95, 0.95), (100, 0.5, 0.6)])
def test_intervals_of_differences_cover(rows: int, ours: float, theirs: float) -> None:
    """Micro-F1 of two models for which the same rows are hard."""
    generator = np.random.default_rng(rows)

    def measured(count: int) -> list[Floats]:
        names, hard = generator.integers(1, 3, count), generator.random(count) < 0.3
        found = []
        for share in (ours, theirs):
            right = generator.binomial(names, np.where(hard, share / 2, share))
            found.append(np.stack([right, names + right + generator.binomial(names - right, 0.7)], axis=1) * 1.0)
        return found

    one, other = measured(300_000)
    truth = float(f1(one.sum(axis=0)) - f1(other.sum(axis=0)))
    hits = []
    for _ in range(300):
        arm, control = measured(rows)
        bounds = compare_rows(f1, arm[None], control[None], counted=[1], draws=500).interval.bounds
        hits.append(bounds is None or bounds[0] <= truth <= bounds[1])
    assert np.mean(hits) >= 0.92


def test_seeds_are_averaged_row_by_row_and_their_spread_is_told() -> None:
    seeds = [records(right) for right in ([1] * 15 + [0] * 5, [1] * 10 + [0] * 10, [0] * 5 + [1] * 15)]
    control = [records([1] * 6 + [0] * 14)] * 3
    found = difference(METRICS["tool_accuracy"], seeds, control)
    assert found.arm_seeds == (0.75, 0.5, 0.75)
    assert found.arm == pytest.approx(2 / 3)
    assert found.arm_spread == pytest.approx(np.std([0.75, 0.5, 0.75], ddof=1))
    assert found.control_spread == 0
    assert found.covers == "rows and seeds"
    assert "rows and seeds" in str(found.test)


def test_seeds_that_disagree_make_the_interval_wide() -> None:
    generator = np.random.default_rng(3)
    control = rows_of(np.repeat((generator.random(1000) < 0.5)[None], 2, axis=0))
    steady = rows_of(generator.random((2, 1000)) < 0.6)
    shaky = rows_of(generator.random((2, 1000)) < np.array([[0.5], [0.7]]))
    widths, p_values = [], []
    for arm in (steady, shaky):
        found = compare_rows(rate, arm, control, counted=[1], rate=True, draws=500)
        low, high = found.interval.bounds or (0, 0)
        widths.append(high - low)
        p_values.append(found.p_value)
    assert widths[1] > 5 * widths[0]
    assert p_values[0] < 0.05 < p_values[1]
    one_seed = compare_rows(rate, shaky[1:], control[:1], counted=[1], rate=True, draws=500)
    assert one_seed.covers == "rows"
    assert one_seed.p_value is not None
    assert one_seed.p_value < 0.05  # of these two models, not of how they were trained


def test_parts_are_values_of_json() -> None:
    found = difference(METRICS["tool_accuracy"], [records([1] * 9)], [records([0] * 9)]).as_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["value"], found["arm_seeds"], found["interval"], found["p_value"]) == (1, [1], None, None)


def test_seeds_without_a_value_are_no_numbers_of_json() -> None:
    silent = [ToolRecord(one.row_id, 1, A, ()) for one in records([1] * 20)]
    found = difference(METRICS["parse_rate"], [silent, records([1] * 20)], [records([1] * 20)]).as_dict()
    assert found["arm_seeds"] == [None, 1]
    json.dumps(found, allow_nan=False)


def test_what_cannot_be_told() -> None:
    nine = difference(METRICS["tool_accuracy"], [records([1] * 9)], [records([0] * 9)])
    assert (nine.value, nine.p_value) == (1, None)
    assert "too few rows" in str(nine.interval.why_none)
    same = difference(METRICS["tool_accuracy"], [records([1, 0] * 9)], [records([1, 0] * 9)])
    assert (same.value, same.p_value, same.interval.bounds) == (0, 1, None)
    none = difference(METRICS["false_calls"], [records([1] * 20)], [records([0] * 20)])
    assert (none.value, none.why_none, none.p_value) == (None, "one of the two has no value", None)
    silent = [ToolRecord(one.row_id, 1, A, ()) for one in records([1] * 20)]
    half = difference(METRICS["parse_rate"], [silent], [records([1] * 20)])
    assert (half.value, half.arm, half.control) == (None, None, 1)


def test_both_must_be_of_the_same_rows_and_turns() -> None:
    metric = METRICS["tool_accuracy"]
    with pytest.raises(UsageError, match="the same rows and messages"):
        difference(metric, [records([1] * 10)], [records([1] * 11)])
    with pytest.raises(UsageError, match="the same rows and messages"):
        difference(metric, [records([1] * 10)], [records([1] * 10, row=1)])
    with pytest.raises(UsageError, match="nothing to compare"):
        difference(metric, [], [records([1])])


def test_the_order_of_records_changes_nothing() -> None:
    generator = np.random.default_rng(4)
    ours, theirs = ([int(one) for one in generator.integers(0, 2, 120)] for _ in range(2))
    for name in ("tool_accuracy", "tool_f1"):
        found = difference(METRICS[name], [records(ours)], [records(theirs)], draws=300)
        assert found == difference(METRICS[name], [records(ours)[::-1]], [records(theirs)], draws=300)


def test_two_that_are_never_right_have_no_interval_of_no_width() -> None:
    # F1 of 0 on both sides, whatever was called: no row moves it.
    arm, control = np.zeros((1, 20, 2)), np.zeros((1, 20, 2))
    arm[..., 1], control[..., 1] = 3, 2
    found = compare_rows(lambda sums: sums[..., 0] / sums[..., 1], arm, control, counted=[1])
    assert (found.value, found.interval.bounds) == (0.0, None)
    assert found.interval.why_none == "the difference is the same whichever row is left out"
