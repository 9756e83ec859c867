"""Runs the benchmark: `python -m benches.quality_lm`, with `--help` for parts of it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benches.data import ROOT
from benches.quality.arms import ARMS, AUTO, DIVERSITY, HYBRID, RANDOM
from benches.quality.cases import CLEAN, WRONG
from benches.quality.data import MissingDataError
from benches.quality.interval import estimate
from benches.quality_lm.base import STEPS, base_model
from benches.quality_lm.run import Settings, Tuned, run
from benches.results import machine

#: The defaults of ours beside the two random controls.
_ARMS: Final = (RANDOM, "random, balanced over cells", AUTO, DIVERSITY, HYBRID)
_DRAWS: Final = 10_000

_ABOUT: Final = """\
A model of 2.6 million parameters in the layout of Llama is pre-trained on the open texts of the data folder, of which
none is of CLINC150. For each rule it is then tuned by `sage-train` (LoRA, r = 32, alpha = 64, rate 3e-3, {steps} steps
of 32 rows, whatever the rule) on k rows of CLINC150 that the rule picked by their MiniLM vectors and the losses of a
classifier that saw 5 % of the rows; the model never sees these vectors. It is tested on {tested:,} test rows: right is
the answer whose intent is the likeliest of all 150 under the model. Under "wrong labels" 20 % of the labels to choose
from are replaced.

Accuracy: means over {seeds} seeds, which the picks, the wrong labels and the adapter's first weights follow, in points,
with Student's 95 % interval over the seeds. The difference to random rows: of the mean over seeds, with a 95 %
bootstrap interval over the test rows ({draws:,} draws, the same rows for both). Short texts and a tiny model: nothing
here says what a model of a billion parameters makes of longer rows.
"""


def main() -> None:
    """Measure what is asked for: all of it goes into benches/QUALITY_LM.md, a part of it into .benchmarks/."""
    parser = argparse.ArgumentParser(prog="python -m benches.quality_lm", description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds")
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 750], help="rows to pick")
    parser.add_argument(
        "--cases", nargs="+", choices=[CLEAN, WRONG], default=[CLEAN, WRONG], help="a part of the cases"
    )
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(_ARMS), help="the rules")
    parser.add_argument("--steps", type=int, default=300, help="steps of tuning")
    parser.add_argument("--base-steps", type=int, default=STEPS, help="steps of pre-training")
    parser.add_argument("--tested", type=int, default=2000, help="test rows")
    asked = parser.parse_args()
    began, start = machine(), time.monotonic()
    arms = list(dict.fromkeys([RANDOM, *asked.arms]))
    folder = ROOT / ".benchmarks" / "quality_lm"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        how = Settings(base_model(folder, asked.base_steps), folder, asked.steps, asked.tested)
        found = run(asked.cases, asked.sizes, arms, asked.seeds, how)
    except MissingDataError as error:
        sys.stdout.write(f"Skipped: {error}\n")
        return
    whole = asked == parser.parse_args([])
    path = (ROOT / "benches" if whole else ROOT / ".benchmarks") / "QUALITY_LM.md"
    about = _ABOUT.format(steps=asked.steps, tested=asked.tested, seeds=asked.seeds, draws=_DRAWS)
    minutes = (time.monotonic() - start) / 60
    path.write_text(_report(found, about, f"{began} {minutes:.0f} minutes."), encoding="utf-8")
    sys.stdout.write(f"Recorded in {path}\n")


def _report(found: Sequence[Tuned], about: str, began: str) -> str:
    """Return the record: a table for each case, and what the rules are worth beside random rows."""
    lines = ["# Does the selection help a language model?", "", about, began, ""]
    right: dict[tuple[str, int], dict[str, list[NDArray[np.bool_]]]] = {}
    for one in found:
        right.setdefault((one.case, one.k), {}).setdefault(one.arm, []).append(one.right)
    for (case, k), arms in right.items():
        lines += [f"## {case}, {k:,} rows", "", "| rule | accuracy | less random |", "|---|--:|--:|"]
        for arm in sorted(arms, key=lambda arm: -np.mean(arms[arm])):
            beside = "" if arm == RANDOM else _difference(arms[arm], arms[RANDOM])
            lines.append(f"| {arm} | {estimate([float(seed.mean()) for seed in arms[arm]])} | {beside} |")
        lines.append("")
    return "\n".join(lines)


def _difference(arm: list[NDArray[np.bool_]], random: list[NDArray[np.bool_]]) -> str:
    """Return how much better a rule is than random rows, with what that may be on other test rows."""
    of_row = np.mean(arm, axis=0) - np.mean(random, axis=0)
    rng = np.random.default_rng(0)
    means = [of_row[rng.integers(0, len(of_row), len(of_row))].mean() for _ in range(_DRAWS)]
    low, high = 100 * np.quantile(means, [0.025, 0.975])
    return f"{100 * of_row.mean():+.1f} [{low:+.1f}, {high:+.1f}]"


if __name__ == "__main__":
    main()
