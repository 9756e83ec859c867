"""Runs the small benchmarks, or with --large the large ones, and records them in RESULTS.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.data import ROOT, SCALE
from benches.results import Timing, machine, update

LARGE = "large: a million rows; runs with --large, and alone"

_TIMINGS: pytest.StashKey[list[Timing]] = pytest.StashKey()
_SKIPPED: pytest.StashKey[dict[str, str]] = pytest.StashKey()
_MACHINE: pytest.StashKey[str] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--large", action="store_true", help="run the benchmarks of a million rows instead of the others")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", LARGE)
    config.stash[_TIMINGS] = []
    config.stash[_SKIPPED] = {}
    config.stash[_MACHINE] = machine()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    large = config.getoption("--large")
    left_out = [item for item in items if (item.get_closest_marker("large") is not None) != large]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(autouse=True)
def _recorded(request: pytest.FixtureRequest) -> Iterator[None]:
    """Note what a benchmark measured, if all of its checks held."""
    if "benchmark" not in request.fixturenames:
        yield
        return
    benchmark: BenchmarkFixture = request.getfixturevalue("benchmark")
    failed = request.session.testsfailed
    yield
    if benchmark.stats is not None and request.session.testsfailed == failed:
        request.config.stash[_TIMINGS].append(_timing(benchmark, _parameters(request)))


def _parameters(request: pytest.FixtureRequest) -> dict[str, Any]:
    call = getattr(request.node, "callspec", None)
    return {} if call is None else dict(call.params)


def _timing(benchmark: BenchmarkFixture, parameters: dict[str, Any]) -> Timing:
    """Make the record of a benchmark: what `measure` noted, else what its parameters say."""
    functions = [value.__name__ for value in parameters.values() if callable(value)]
    cases = [str(value) for value in parameters.values() if isinstance(value, str | int | float)]
    info = {"method": (functions or [benchmark.name])[0], "case": ", ".join(cases), "share": 1.0, "note": ""}
    info.update(benchmark.extra_info)
    share = float(info["share"])
    part = f"timed on {share:.3g} of the work" if share != 1 else ""
    stats = benchmark.stats.stats
    return Timing(
        group=benchmark.group or benchmark.name,
        case=str(info["case"]),
        method=str(info["method"]),
        seconds=stats.median / share,
        least=stats.min / share,
        rounds=stats.rounds,
        note="; ".join(filter(None, [part, str(info["note"])])),
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: pytest.TestReport = yield
    if report.skipped and call.excinfo is not None and isinstance(call.excinfo.value, pytest.skip.Exception):
        item.config.stash[_SKIPPED][item.name] = str(call.excinfo.value)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    timings = session.config.stash[_TIMINGS]
    skipped = session.config.stash[_SKIPPED]
    if timings:
        ran = {item.name for item in session.items} - skipped.keys()
        update(record_path(), timings, skipped, ran, session.config.stash[_MACHINE])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if config.stash[_TIMINGS]:
        terminalreporter.write_line(f"Recorded in {record_path()}")


def record_path() -> Path:
    """Return where the record goes: runs at another scale try the suite, and are no results."""
    return ROOT / ("benches" if SCALE == 1 else ".benchmarks") / "RESULTS.md"
