"""How long `sage-select --help` takes, beside a Python that does nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.measure import measure

PROGRAMS = {
    # What the installed program does.
    "ours": "import sys; from sage_select.cli.select import main; sys.argv = ['sage-select', '--help']; main()",
    "python -c pass": "pass",
}


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("method", PROGRAMS)
def test_help(method: str, benchmark: BenchmarkFixture) -> None:
    assert ("Usage: sage-select" in run(PROGRAMS[method])) == (method == "ours")
    measure(benchmark, lambda: run(PROGRAMS[method]), group="sage-select --help", method=method, rounds=15)
