"""Runs the benchmark: `python -m benches.quality`, with `--help` for parts of it."""

from __future__ import annotations

import argparse
import sys

from benches.data import ROOT
from benches.quality.arms import ARMS, RANDOM
from benches.quality.cases import CASES
from benches.quality.data import MissingDataError
from benches.quality.report import report
from benches.quality.run import run
from benches.results import machine

SEEDS, SIZES = 5, [1, 2, 5]


def main() -> None:
    """Measure what is asked for: all of it goes into benches/QUALITY.md, a part of it into .benchmarks/QUALITY.md."""
    parser = argparse.ArgumentParser(prog="python -m benches.quality", description=main.__doc__)
    parser.add_argument("--split", choices=["test", "validation"], default="test", help="the rows to test on")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many seeds")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="rows to pick, times the classes")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES, help="a part of the cases")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS), help="a part of the rules")
    asked = parser.parse_args()
    began = machine()
    # Every arm is compared with random picks.
    arms = list(dict.fromkeys([RANDOM, *asked.arms]))
    try:
        outcomes = run(asked.cases, asked.split, asked.seeds, asked.sizes, arms)
    except MissingDataError as error:
        sys.stdout.write(f"Skipped: {error}\n")
        return
    whole = asked == parser.parse_args([])
    path = ROOT / ("benches" if whole else ".benchmarks") / "QUALITY.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(report(outcomes, asked.split, asked.seeds, began), encoding="utf-8")
    sys.stdout.write(f"Recorded in {path}\n")


if __name__ == "__main__":
    main()
