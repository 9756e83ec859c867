"""The measured constants: all are there, make sense, and can be measured again."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

from sage_select.forecast.costs import Costs, load_costs
from sage_select.forecast.select_stage import OBJECTIVE_COSTS
from sage_select.strategies.objectives import OBJECTIVES


def test_every_constant_was_measured() -> None:
    costs = load_costs()
    assert costs.machine
    assert costs.date
    numbers = {field.name: getattr(costs, field.name) for field in dataclasses.fields(costs) if field.type == "float"}
    assert len(numbers) > 30
    assert all(value >= 0 for value in numbers.values())
    assert 0 < costs.parallel_share <= 1
    assert costs.slower.keys() == {"avx512", "avx2", "portable"}
    assert min(costs.slower.values()) == costs.slower["avx512"] == 1


def test_threads_divide_the_parallel_share() -> None:
    costs = dataclasses.replace(load_costs(), parallel_share=0.9)
    assert costs.threaded(1) == 1
    assert abs(costs.threaded(3) - 0.4) < 1e-12


def test_the_benchmarks_measure_every_constant(root: Path) -> None:
    tree = ast.parse((root / "benches" / "measure_costs.py").read_text())
    measured = {
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }
    assert measured == {field.name for field in dataclasses.fields(Costs)}


def test_every_objective_has_its_costs() -> None:
    assert OBJECTIVE_COSTS.keys() == OBJECTIVES.keys()
