"""The benchmarks can be run, and their record keeps what a run did not measure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pytest_benchmark", reason="the benchmarks need the bench extra")

from benches.results import Timing, read, span, update


def collected(root: Path, *options: str) -> set[str]:
    command = [sys.executable, "-m", "pytest", "benches", "--collect-only", "-q", *options]
    # A worker of tests that run side by side measures nothing, and says so by a warning.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, env=alone)
    return {line.split("::")[0] for line in done.stdout.splitlines() if "::" in line}


def test_every_file_of_benchmarks_has_some(root: Path) -> None:
    files = {file.relative_to(root).as_posix() for file in (root / "benches").glob("test_*.py")}
    assert len(files) > 5
    large = collected(root, "--large")
    assert large
    assert collected(root) | large == files


def timing(group: str, method: str, seconds: float, case: str = "") -> Timing:
    return Timing(group, case, method, seconds, seconds / 2, 3, "")


def test_the_record_says_how_many_times_ours_a_rival_took(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    rows = [timing("g", "rival", 0.3), timing("g", "ours", 0.02), timing("g", "rival", 5.0, "other case")]
    update(path, rows, {}, [], "today")
    assert [line.split(" | ")[1:4] for line in read(path)["g"].splitlines()[4:]] == [
        ["ours", "20 ms", "1"],
        ["rival", "300 ms", "15"],
        ["rival", "5 s", ""],
    ]


def test_the_record_keeps_groups_that_were_not_run(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    update(
        path,
        [timing("a", "ours", 1.0), timing("b", "ours", 1.0)],
        {"test_c": "no data: none", "test_d": "why"},
        [],
        "one",
    )
    before = read(path)
    update(path, [timing("b", "ours", 2.0)], {}, ["test_d"], "two")
    after = read(path)
    assert after["a"] == before["a"]
    assert after["b"].startswith("two")
    assert after["Not run"] == "- test_c: no data: none"


@pytest.mark.parametrize(
    ("seconds", "text"), [(1234.5, "1,234 s"), (12.345, "12.3 s"), (0.0123, "12.3 ms"), (4.5e-5, "45 µs")]
)
def test_times_have_three_digits(seconds: float, text: str) -> None:
    assert span(seconds) == text
