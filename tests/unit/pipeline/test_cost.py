"""What strategies and objectives say they cost: memory as their code allocates it, time that grows with the work."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rules import RULES

from sage_select.pipeline import Cost, Size, in_turn
from sage_select.pipeline.rates import rates
from sage_select.strategies import STRATEGIES
from sage_select.strategies.objectives import OBJECTIVES
from sage_select.strategies.objectives.similarities import DENSE_LIMIT

MIB = 1 << 20
#: What a process takes for its threads, whatever they do.
BESIDE = 3 * MIB


def case(strategy: str, n: int, d: int, k: int, **settings: Any) -> dict[str, Any]:
    return {"strategy": strategy, "n": n, "d": d, "k": k, "metric": "cosine", "settings": settings}


CASES = [
    case("loss_topk", 10_000, 128, 300, score_mode="stratified"),
    case("target", 40_000, 384, 300, query_column="query"),
    case("threshold", 20_000, 384, 8_000, threshold=0.99),
    *(case("diversity", 20_000, 192, 300, objective=name) for name in ("kcenter", "mmr", "herding", "d2")),
    case("diversity", 10_000, 128, 300, objective="kmeans"),
    case("diversity", 5_000, 768, 500, objective="dpp"),
    case("diversity", 3_000, 64, 300, objective="facility"),
    case("diversity", 3_000, 64, 300, objective="graph_cut"),
    case("diversity", DENSE_LIMIT + 1, 32, 300, objective="facility"),
    case("hybrid", 3_000, 64, 300),
]


@pytest.fixture(scope="module")
def taken(root: Path) -> list[int]:
    """Return the bytes that the picks of each case take, in processes of their own."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("this system does not tell the height of memory")
    program = [sys.executable, str(root / "tests" / "support" / "memory_of_picks.py"), json.dumps(CASES)]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("place", range(len(CASES)))
def test_memory_is_what_the_kernels_allocate(place: int, taken: list[int]) -> None:
    of = CASES[place]
    said = STRATEGIES[of["strategy"]](**of["settings"]).cost(Size(n=of["n"], d=of["d"], k=of["k"]))
    assert said is not None
    assert taken[place] > 2 * MIB
    # Beside what is said are many small things, and the code that runs for the first time.
    assert 0.5 < (said.memory + BESIDE) / (taken[place] + BESIDE) < 2, (said.memory / MIB, taken[place] / MIB)


def made(strategy: str, objective: str | None) -> Any:
    settings = {"target": {"query_column": "query"}}.get(strategy, {})
    return STRATEGIES[strategy](**settings, **({"objective": objective} if objective else {}))


@pytest.mark.parametrize(("strategy", "objective"), RULES)
def test_every_rule_says_what_it_costs(strategy: str, objective: str | None) -> None:
    rule, size = made(strategy, objective), Size(n=50_000, d=128, k=2_000, classes=30)
    small = rule.cost(size)
    assert small.memory > 0
    for larger in (replace(size, n=400_000), replace(size, d=1024), replace(size, k=20_000)):
        large = rule.cost(larger)
        assert large.memory >= small.memory
        if strategy == "target":
            assert large.seconds is small.seconds is None  # nothing tells how many queries there are
        else:
            assert large.seconds >= small.seconds
    if strategy == "diversity":
        assert rule.cost(replace(size, d=1024)).seconds > small.seconds
        assert rule.cost(replace(size, threads=8)).seconds < small.seconds
        assert rule.cost(replace(size, threads=8)).memory == small.memory


@pytest.mark.parametrize(("objective", "width"), [("facility", 2), ("graph_cut", 4)])
def test_all_pairs_are_held_up_to_a_limit(objective: str, width: int) -> None:
    rule, size = OBJECTIVES[objective](), Size(n=DENSE_LIMIT, d=64, k=100)
    assert rule.cost(size).memory > width * DENSE_LIMIT**2
    assert rule.cost(replace(size, n=DENSE_LIMIT + 1)).memory < DENSE_LIMIT**2
    # An estimated number of rows slightly above the limit may turn out to be below it.
    assert rule.cost(replace(size, n=DENSE_LIMIT + 500, exact=False)).memory > width * DENSE_LIMIT**2


def test_seconds_are_those_of_this_machine() -> None:
    here = rates()
    assert here is rates()
    # Between a slow core and any that there are: a unit mistaken for another is off by more.
    for rate, least, most in zip(here, (1e8, 1e6, 1e7, 1e4), (1e13, 1e11, 1e12, 1e10), strict=True):
        assert least < rate < most
    one, four = Size(n=1), Size(n=1, threads=4)
    assert one.seconds(multiply_adds=here.multiply_adds) == pytest.approx(1)
    assert four.seconds(multiply_adds=here.multiply_adds) == pytest.approx(1 / 4)
    assert four.seconds(text=here.text, copied=2 * here.copied, rows=3 * here.rows) == pytest.approx(6)


def test_what_is_not_known_stays_so() -> None:
    known, untimed = Cost(10, 1.0, 4), Cost(8, None, 2)
    assert known.then(untimed) == Cost(12, None, 6)
    assert untimed.then(known) == Cost(12, None, 6)
    assert in_turn(known, None, known) is None
    assert in_turn(known, known) == Cost(14, 2.0, 8)
