"""Verdicts over planted cells: what is better is found, and nothing is made of chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from comparisons import METRIC, cells_of

from sage_select.comparison.arms import Arm
from sage_select.comparison.cells import Cell, MetricRows, read_cell, write_cell
from sage_select.comparison.judging import judge
from sage_select.methods import MethodSpec

BASE = Cell("base model", 0)


def arms(*names: str) -> list[Arm]:
    plain = [Arm("control", MethodSpec("control", "control", control="none"), None)]
    return plain + [Arm(name, MethodSpec(name, name), "control") for name in names]


def test_the_arm_that_is_better_is_found_and_the_others_are_not_called_so() -> None:
    found = judge(
        arms("good", "bad", "same"), cells_of({"control": 0, "good": 1.5, "bad": -1.5, "same": 0}, 3, 300), BASE, METRIC
    )
    assert {name: one.verdict and one.verdict.word for name, one in found.arms.items()} == {
        "control": None,
        "good": "better",
        "bad": "worse",
        "same": "not distinguishable",
    }
    assert found.arms["good"].mean == pytest.approx(np.mean(list(found.arms["good"].values.values())))


@pytest.mark.parametrize(("seeds", "noise"), [(1, 0.0), (2, 0.3), (3, 0.3), (5, 0.3)])
def test_where_no_arm_is_better_one_is_called_so_no_more_often_than_the_level(seeds: int, noise: float) -> None:
    names = ("a", "b", "c")
    wrong = sum(
        any(
            one.verdict is not None and one.verdict.word != "not distinguishable"
            for one in judge(
                arms(*names), cells_of(dict.fromkeys(("control", *names), 0.0), seeds, 60, number, noise), BASE, METRIC
            ).arms.values()
        )
        for number in range(120)
    )
    # 5 % of 120 are 6; more than 12 would come about once in 100 times at that level.
    assert wrong <= 12


def test_a_failed_cell_is_no_figure_and_its_seed_is_left_out_of_the_pair() -> None:
    several = cells_of({"control": 0, "good": 2}, 2, 100)
    several[2] = Cell("good", 0, error="it broke")
    found = judge(arms("good"), several, BASE, METRIC).arms
    assert list(found["good"].values) == [1]
    assert found["good"].difference is not None
    assert len(found["good"].difference.control_seeds) == 1
    none = judge(arms("good"), [one for one in several if one.arm == "control" or one.error], BASE, METRIC).arms["good"]
    assert (none.mean, none.difference, none.verdict) == (None, None, None)
    assert none.why_none == "no seed has figures of both good and control"


def test_rows_of_which_one_arm_has_nothing_count_as_nothing_for_it() -> None:
    rows = MetricRows(("x", "y"), np.array([[1.0, 1.0], [1.0, 1.0]]))
    less = MetricRows(("y",), np.array([[1.0, 1.0]]))
    both = [Cell("control", 0, metrics={METRIC.name: rows}), Cell("good", 0, metrics={METRIC.name: less})]
    found = judge(arms("good"), both, BASE, METRIC)
    assert found.arms["good"].values == {0: 1.0}
    assert found.arms["good"].difference is not None
    assert found.arms["good"].difference.rows == 2


def test_a_cell_is_read_as_it_was_written(tmp_path: Path) -> None:
    (cell,) = cells_of({"a": 0.0}, 1, 20)
    write_cell(cell, tmp_path)
    read = read_cell(tmp_path)
    assert read is not None
    assert read.facts() == cell.facts()
    np.testing.assert_array_equal(read.metrics[METRIC.name].sums, cell.metrics[METRIC.name].sums)
    assert read.metrics[METRIC.name].row_ids == cell.metrics[METRIC.name].row_ids


@pytest.mark.parametrize("name", ["cell.json", "figures.arrow"])
def test_a_cell_that_is_torn_is_none(tmp_path: Path, name: str) -> None:
    write_cell(cells_of({"a": 0.0}, 1, 20)[0], tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:20])
    assert read_cell(tmp_path) is None
