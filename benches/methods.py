"""Methods compared on real rows: `python -m benches.methods`, with `--help` for parts of it.

Intents of CLINC150 and a language model of 2.6 million parameters, by `sage_select.comparison`. All of it goes into
docs/results.md, a part of it into .benchmarks/. What was done before in .benchmarks/methods is not done again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from benches.data import ROOT
from benches.quality.cases import CLEAN, WRONG, case_of
from benches.quality.data import MissingDataError, file_of
from benches.quality_lm.base import STEPS, base_model
from benches.results import machine
from sage_select.comparison import Comparison, compare
from sage_select.methods import known_methods, named_methods
from sage_select.stages import Embed, Score, Source
from sage_select.train import TrainConfig

__all__ = ["main"]


class Setting(NamedTuple):
    """Rows to choose from, and how many."""

    case: str
    k: int

    @property
    def title(self) -> str:
        """What the record calls it."""
        return f"{self.case}, {self.k:,} rows"

    @property
    def folder(self) -> str:
        """Where it lies."""
        return f"{'clean' if self.case == CLEAN else 'wrong'}-{self.k}"


_SETTINGS: Final = (Setting(CLEAN, 300), Setting(CLEAN, 750), Setting(WRONG, 1500))
#: Of the order of the settings of benches/quality_lm: 300 steps of 32 rows.
_TOKENS: Final = 200_000

_ABOUT: Final = """\
# Methods compared

A language model of 2.6 million parameters in the layout of Llama, pre-trained on the open texts of the data folder
(none of CLINC150), is tuned by each method of `sage-train compare` on {tokens:,} tokens of intents of CLINC150 (150
classes in 10 domains, LoRA r = 32, alpha = 64, rate 3e-3, 32 rows a step), and says the intent of {tested:,} test rows:
right is the answer that is the likeliest of all 150 under the model. Methods that select see MiniLM vectors and the
losses of a classifier that saw 5 % of the rows; the model never sees these vectors. Rows of the pool that repeat test
rows train no arm. Under "wrong labels" 20 % of the labels to choose from are replaced. C, D and L train one domain
after the other. Made by `make bench-methods`. Short texts and a tiny model: nothing here says what a model of a
billion parameters makes of longer rows.
"""


def main() -> None:
    """Compare what is asked for: all of it goes into docs/results.md, a part of it into .benchmarks/results.md."""
    parser = argparse.ArgumentParser(prog="python -m benches.methods", description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds")
    parser.add_argument(
        "--settings", nargs="+", choices=[one.folder for one in _SETTINGS], help="a part of the settings"
    )
    parser.add_argument("--methods", nargs="+", help="a part of the methods")
    parser.add_argument("--tokens", type=int, default=_TOKENS, help="tokens of each arm")
    parser.add_argument("--tested", type=int, default=4500, help="test rows")
    parser.add_argument("--base-steps", type=int, default=STEPS, help="steps of pre-training")
    parser.add_argument("--folder", type=Path, default=ROOT / ".benchmarks" / "methods", help="where the runs lie")
    asked = parser.parse_args()
    began = machine()
    base_folder = ROOT / ".benchmarks" / "quality_lm"
    base_folder.mkdir(parents=True, exist_ok=True)
    try:
        base = base_model(base_folder, asked.base_steps)
        settings = [one for one in _SETTINGS if not asked.settings or one.folder in asked.settings]
        found = [(setting, _compared(setting, base, asked)) for setting in settings]
    except MissingDataError as error:
        sys.stdout.write(f"Skipped: {error}\n")
        return
    whole = asked == parser.parse_args([])
    path = ROOT / ("docs/results.md" if whole else ".benchmarks/results.md")
    spent = [
        seconds
        for _, comparison in found
        for cell in comparison.cells
        for seconds in (cell.select_seconds, cell.train_seconds, cell.evaluate_seconds)
    ]
    hours = sum(seconds or 0.0 for seconds in spent) / 3600
    about = _ABOUT.format(tokens=asked.tokens, tested=asked.tested)
    took = f"{began} {hours:.1f} hours of selection, training and evaluation."
    path.write_text(f"{about}\n{took}\n\n{_report(found)}", encoding="utf-8")
    sys.stdout.write(f"Recorded in {path}\n")


def _compared(setting: Setting, base: Path, asked: argparse.Namespace) -> Comparison:
    place = asked.folder / setting.folder
    place.mkdir(parents=True, exist_ok=True)
    pool, held_out = place / "pool.parquet", place / "test.parquet"
    _write_rows(setting, pool, held_out, asked.tested)
    known = known_methods()
    config = TrainConfig(
        model=str(base),
        batch_size=32,
        gradient_accumulation=1,
        learning_rate=3e-3,
        lora_r=32,
        lora_alpha=64,
        lora_dropout=0.0,
        gradient_checkpointing=False,
        precision="fp32",
    )
    return compare(
        named_methods(asked.methods or list(known), known),
        held_out,
        config,
        pool=(
            Source.make(path=str(pool), prompt_column="prompt", completion_column="completion", id_column="id"),
            Score.make(scorer="column", column="loss"),
            Embed.make(encoder="column", column="vector"),
        ),
        output_dir=place / "comparison",
        seeds=range(asked.seeds),
        tokens=asked.tokens,
        budget=str(setting.k),
        balance="intent",
        task_column="domain",
        evaluators="classification",
        cache=False,
        told=lambda cell, done, count: sys.stdout.write(
            f"{setting.title}: {done} of {count}: {cell.arm}, seed {cell.seed}: {cell.error or 'done'}\n"
        ),
    )


def _write_rows(setting: Setting, pool: Path, held_out: Path, tested: int) -> None:
    """Write the rows to choose from, and those to test on, where they are not there."""
    if pool.is_file() and held_out.is_file():
        return
    train = pl.read_parquet(file_of("clinc150/train.parquet"))
    test = pl.read_parquet(file_of("clinc150/test.parquet"))
    names = np.unique(train["intent"].to_numpy())
    domain_of = dict(zip(train["intent"].to_list(), train["domain"].to_list(), strict=True))
    case = case_of(setting.case, "test", 0)
    intents = [str(names[label]) for label in case.pool.labels]
    some = np.sort(np.random.default_rng(0).permutation(len(test))[:tested])
    rows = pl.DataFrame(
        {
            "id": [f"row-{number}" for number in range(len(intents))],
            "prompt": list(case.pool.texts),
            "completion": [intent.replace("_", " ") for intent in intents],
            "intent": intents,
            "domain": [domain_of[intent] for intent in intents],
            "loss": case.losses,
        }
    ).to_arrow()
    rows = rows.append_column("vector", pa.FixedSizeListArray.from_arrays(case.vectors.ravel(), case.vectors.shape[1]))
    pl.from_arrow(rows).write_parquet(pool)  # type: ignore[union-attr]
    pl.DataFrame(
        {
            "prompt": test["text"].to_numpy()[some].tolist(),
            "completion": [intent.replace("_", " ") for intent in test["intent"].to_numpy()[some]],
        }
    ).write_parquet(held_out)


def _report(found: Sequence[tuple[Setting, Comparison]]) -> str:
    """Return the record: a table for each setting."""
    lines: list[str] = []
    for setting, comparison in found:
        judged = comparison.judgements[0]
        base = "no value" if judged.base is None else f"{100 * judged.base:.1f}"
        about = (
            f"{judged.metric.definition} Base model: {base}. Means over {len(comparison.seeds)} seeds in points, by "
            "seed in brackets; the difference from the control with its 95 % interval, and what can be said of it."
        )
        lines += [
            f"## {setting.title}",
            "",
            about,
            "",
            "| arm | accuracy | less its control | verdict |",
            "|---|--:|--:|---|",
        ]
        ordered = sorted(comparison.arms, key=lambda arm: -(judged.arms[arm.name].mean or 0))
        for arm in ordered:
            figures = judged.arms[arm.name]
            seeds = ", ".join(f"{100 * value:.1f}" for value in figures.values.values())
            mean = "failed" if figures.mean is None else f"{100 * figures.mean:.1f} ({seeds})"
            change = ""
            if figures.difference is not None and figures.difference.value is not None:
                bounds = figures.difference.interval.bounds
                within = "" if bounds is None else f" [{100 * bounds[0]:+.1f}, {100 * bounds[1]:+.1f}]"
                change = f"{100 * figures.difference.value:+.1f}{within}"
            lines.append(f"| {arm.name} | {mean} | {change} | {comparison.verdict(arm)} |")
        lines += ["", *(f"- {cell.arm}, seed {cell.seed} failed: {cell.error}" for cell in comparison.failed)]
        lines += [
            "",
            "What the arms are: " + "; ".join(f"{arm.name}: {arm.method.summary}" for arm in comparison.arms) + ".",
            "",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
