"""Active learning in a loop: label a batch, train a classifier, pick the next batch, again and again.

Shows how good the classifier is after each batch, for every way to pick it, beside batches picked at random:

    python examples/active_learning.py                       # built-in rows, some seconds
    python examples/active_learning.py data/clinc150         # a folder with train.parquet and test.parquet

The folder's files have a text and a label a row (--text-column, --label-column); vectors of another encoder are taken
from train.minilm.npy and test.minilm.npy, where these are there, and otherwise made of the words. Every way begins with
the same random rows of a seed. The table tells means over seeds with 95 % intervals by Student's t, and of each way the
difference from random, seed by seed. Needs the bench extra: pip install 'sage-select[bench]'.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.stats import t as student
from sklearn.linear_model import LogisticRegression

import sage_select
from sage_select.encode import hash_texts

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]


class Interval(NamedTuple):
    """A mean over seeds, and how far the ends of its 95 % interval are from it."""

    mean: float
    half: float


@dataclass(frozen=True)
class Problem:
    """Rows with vectors and labels: those of the pool, and those that accuracy is measured on."""

    name: str
    vectors: Vectors
    labels: NDArray[Any]
    test_vectors: Vectors
    test_labels: NDArray[Any]


#: Every way to pick the next batch: what `select` is told beside the rows that are labelled.
WAYS: Mapping[str, Mapping[str, str]] = {
    "random": {"strategy": "random"},
    "entropy": {"strategy": "uncertainty", "measure": "entropy"},
    "margin": {"strategy": "uncertainty", "measure": "margin"},
    "least_confidence": {"strategy": "uncertainty", "measure": "least_confidence"},
    "badge": {"strategy": "badge"},
    "kcenter": {"strategy": "diversity", "objective": "kcenter"},
    "facility": {"strategy": "diversity", "objective": "facility"},
}


def next_batch(problem: Problem, way: str, model: LogisticRegression, labelled: Rows, k: int, seed: int) -> Rows:
    """Return the next rows to label: rows are named by their numbers, and those labelled never come again."""
    options = WAYS[way]
    arrays: dict[str, Any] = {}
    if options["strategy"] in ("uncertainty", "badge"):
        arrays["probabilities"] = model.predict_proba(problem.vectors)
    if options["strategy"] != "uncertainty":
        arrays["embeddings"] = problem.vectors
    return sage_select.select(preselected=labelled, k=k, seed=seed, **arrays, **options).indices


def fitted(problem: Problem, labelled: Rows) -> LogisticRegression:
    """Return a classifier that has learned from the labelled rows."""
    with warnings.catch_warnings():
        # A row or two of each label is what there is at the beginning.
        warnings.filterwarnings("ignore", message="The number of unique classes")
        return LogisticRegression(C=20, max_iter=1000).fit(problem.vectors[labelled], problem.labels[labelled])


def curve(problem: Problem, way: str, seed: int, *, start: int, batch: int, rounds: int) -> list[float]:
    """Return the accuracy on the test rows after the first labels, and after each batch."""
    labelled = np.random.default_rng(seed).permutation(len(problem.labels))[:start]
    accuracies = []
    for number in range(rounds + 1):
        model = fitted(problem, labelled)
        accuracies.append(float(model.score(problem.test_vectors, problem.test_labels)))
        if number < rounds:
            labelled = np.concatenate([labelled, next_batch(problem, way, model, labelled, batch, seed)])
    return accuracies


def interval(values: Sequence[float]) -> Interval:
    """Return the mean of one value a seed, with its 95 % interval by Student's t."""
    n = len(values)
    if n < 2:
        return Interval(float(np.mean(values)), float("nan"))
    half = student.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
    return Interval(float(np.mean(values)), float(half))


def table(curves: Mapping[str, NDArray[np.float64]], labels: Sequence[int]) -> str:
    """Return the accuracies of all ways as a table in Markdown; differences from random are paired by seed."""
    lines = [f"| rows labelled | {' | '.join(f'{n:,}' for n in labels)} |", "|---" * (len(labels) + 1) + "|"]
    for way, values in curves.items():
        cells = [f"{100 * one.mean:.1f} ± {100 * one.half:.1f}" for one in map(interval, values.T)]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    # All begin with the same rows.
    lines += ["", f"| less random | {' | '.join(f'{n:,}' for n in labels[1:])} |", "|---" * len(labels) + "|"]
    for way, values in curves.items():
        if way == "random":
            continue
        found = [interval(column) for column in (values - curves["random"]).T[1:]]
        cells = [
            f"**{100 * one.mean:+.1f}** ± {100 * one.half:.1f}"
            if abs(one.mean) > one.half
            else f"{100 * one.mean:+.1f} ± {100 * one.half:.1f}"
            for one in found
        ]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def figure(curves: Mapping[str, NDArray[np.float64]], labels: Sequence[int], name: str) -> Any:
    """Return the figure: the accuracy of each way by how many rows are labelled, with its interval."""
    from matplotlib.figure import Figure

    found = Figure(figsize=(7, 4.5), layout="constrained")
    axes = found.subplots()
    for way, values in curves.items():
        ends = [interval(column) for column in values.T]
        means, halves = (100 * np.array(one) for one in zip(*ends, strict=True))
        style = {"color": "black", "linestyle": "--"} if way == "random" else {}
        (line,) = axes.plot(labels, means, marker="o", markersize=3, label=way, **style)
        axes.fill_between(labels, means - halves, means + halves, color=line.get_color(), alpha=0.12, linewidth=0)
    axes.set(xlabel="rows labelled", ylabel="accuracy on test rows, %", title=name)
    axes.legend()
    return found


def built_in(classes: int = 12, rows: int = 900, width: int = 16) -> Problem:
    """Return rows around middles, some classes much rarer than others: no file is needed."""
    rng = np.random.default_rng(0)
    middles = rng.standard_normal((classes, width))
    share = np.linspace(1, 0.05, classes)

    def drawn(n: int) -> tuple[Vectors, NDArray[Any]]:
        labels = rng.choice(classes, n, p=share / share.sum())
        vectors = middles[labels] + 0.7 * rng.standard_normal((n, width))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels

    return Problem("built-in rows", *drawn(rows), *drawn(600))


def read(folder: Path, text_column: str, label_column: str) -> Problem:
    """Return the rows of a folder."""
    tables = [pq.read_table(folder / f"{part}.parquet", columns=[text_column, label_column]) for part in _PARTS]
    names = sorted(set(tables[0][label_column].to_pylist()))
    codes = {name: code for code, name in enumerate(names)}
    labels = [np.array([codes[one] for one in found[label_column].to_pylist()]) for found in tables]
    files = [folder / f"{part}.minilm.npy" for part in _PARTS]
    if all(file.exists() for file in files):
        vectors = [np.load(file).astype(np.float32) for file in files]
    else:
        texts = pa.chunked_array([one[text_column].cast(pa.string()).combine_chunks() for one in tables])
        both = hash_texts(texts).array
        vectors = [both[: len(labels[0])], both[len(labels[0]) :]]
    return Problem(folder.name, vectors[0], labels[0], vectors[1], labels[1])


_PARTS = ("train", "test")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all ways, print the table, and write it with the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, help="a folder with train.parquet and test.parquet")
    parser.add_argument("--text-column", default="text")
    parser.add_argument("--label-column", default="intent")
    parser.add_argument("--start", type=int, help="random rows that are labelled first (24; 150 of a folder)")
    parser.add_argument("--batch", type=int, help="rows that are labelled in a round (12; 150 of a folder)")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path(), help="folder of the table and the figure")
    asked = parser.parse_args(arguments)
    problem = built_in() if asked.data is None else read(asked.data, asked.text_column, asked.label_column)
    few, many = (24, 12), (150, 150)
    start, batch = few if asked.data is None else many
    start, batch = asked.start or start, asked.batch or batch
    labels = [start + batch * number for number in range(asked.rounds + 1)]
    curves = {}
    for way in WAYS:
        seeds = range(asked.seeds)
        found = [curve(problem, way, seed, start=start, batch=batch, rounds=asked.rounds) for seed in seeds]
        curves[way] = np.array(found)
        sys.stderr.write(f"{way}: {100 * curves[way][:, -1].mean():.1f} % with {labels[-1]:,} labelled rows\n")
    text = table(curves, labels)
    asked.output.mkdir(parents=True, exist_ok=True)
    (asked.output / "active-learning-table.md").write_text(text, encoding="utf-8")
    name = f"{problem.name}, a logistic head, {asked.seeds} seeds"
    figure(curves, labels, name).savefig(asked.output / "active-learning.svg", metadata={"Date": None})
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
