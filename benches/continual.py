"""Does replay help? `python -m benches.continual`: ten domains of CLINC150 one after the other.

A classifier of 150 intents, a linear layer on MiniLM vectors, is trained by SGD on one domain after the other, three
passes over each, in batches of 32 to which a replay buffer adds a quarter as many rows of earlier domains. It is then
tested on all domains, without being told which one a row is of. Written to benches/CONTINUAL.md and
benches/continual.svg.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benches.data import ROOT
from benches.quality.data import MissingDataError, file_of, unit
from benches.quality.interval import estimate
from benches.results import machine
from sage_select import ReplayBuffer
from sage_select.evaluate.continual import METRICS, ScoreMatrix

__all__ = ["ARMS", "Domains", "main", "read_domains", "report", "scores_of"]

#: How each arm holds rows; None for no replay.
ARMS: Final[Mapping[str, Mapping[str, Any] | None]] = {
    "no replay": None,
    "reservoir": {"policy": "reservoir"},
    "balanced": {"policy": "balanced"},
    "herding": {"policy": "herding"},
    "coreset (hybrid)": {"policy": "coreset", "strategy": "hybrid"},
    "loss_topk": {"policy": "loss_topk"},
}
BATCH, RATIO, RATE, EPOCHS = 32, 0.25, 1.0, 3


class Rows(NamedTuple):
    """Rows of a domain: texts, their vectors, and the numbers of their intents."""

    ids: pa.Array
    vectors: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Domains:
    """The stream: what is trained and what is tested, domain after domain."""

    names: tuple[str, ...]
    train: tuple[Rows, ...]
    test: tuple[Rows, ...]
    classes: int


def read_domains() -> Domains:
    """Return CLINC150 as a stream of its ten domains, in alphabetical order."""
    parts = {}
    for split in ("train", "test"):
        table = pq.read_table(file_of(f"clinc150/{split}.parquet"))
        inside = np.array(table["domain"].to_pylist()) != "oos"
        parts[split] = table.filter(pa.array(inside)), unit(np.load(file_of(f"clinc150/{split}.minilm.npy"))[inside])
    names = sorted(set(parts["train"][0]["domain"].to_pylist()))
    intents = np.unique(parts["train"][0]["intent"].to_numpy())

    def rows(split: str, domain: str) -> Rows:
        table, vectors = parts[split]
        own = np.flatnonzero(np.array(table["domain"].to_pylist()) == domain)
        labels = np.searchsorted(intents, table["intent"].to_numpy()[own])
        return Rows(pa.array([f"{split}/{row}" for row in own]), vectors[own], labels)

    return Domains(
        tuple(names),
        tuple(rows("train", one) for one in names),
        tuple(rows("test", one) for one in names),
        len(intents),
    )


class Head:
    """A linear layer trained by SGD on softmax cross-entropy; its bias is the last column."""

    def __init__(self, width: int, classes: int) -> None:
        self.weights = np.zeros((classes, width), np.float32)

    def step(self, vectors: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        """Take a step on a batch."""
        error = self.probabilities(vectors)
        error[np.arange(len(labels)), labels] -= 1
        self.weights -= RATE * error.T @ vectors / len(labels)

    def probabilities(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of each class, float32 (n, classes)."""
        logits = 10 * vectors @ self.weights.T
        logits -= logits.max(axis=1, keepdims=True)
        values = np.exp(logits)
        return values / values.sum(axis=1, keepdims=True)

    def losses(self, vectors: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the loss of each row."""
        found = self.probabilities(vectors)[np.arange(len(labels)), labels]
        return -np.log(np.maximum(found, 1e-12)).astype(np.float64)

    def accuracy(self, rows: Rows) -> float:
        """Return the share of rows whose intent is the likeliest."""
        return float((self.probabilities(rows.vectors).argmax(axis=1) == rows.labels).mean())


def _batches(rows: Rows, seed: int) -> Iterator[NDArray[np.int64]]:
    for epoch in range(EPOCHS):
        order = np.random.default_rng([seed, epoch]).permutation(len(rows.labels))
        yield from np.split(order, range(BATCH, len(order), BATCH))


def scores_of(domains: Domains, arm: str, capacity: int, seed: int) -> list[dict[str, Any]]:
    """Return the accuracy on each domain after training on each, and those that metrics are measured against."""
    width = domains.train[0].vectors.shape[1]
    head, options = Head(width, domains.classes), ARMS[arm]
    buffer = None if options is None else ReplayBuffer.open(None, capacity, seed=seed, id_column="id", **options)
    # Alone, the same rows in as many steps.
    found = _tested(head, domains, "untrained")
    for name, rows in zip(domains.names, domains.train, strict=True):
        table = pa.table({"id": rows.ids, "row": np.arange(len(rows.labels)), "domain": [name] * len(rows.labels)})
        for some in _batches(rows, seed):
            vectors, labels = rows.vectors[some], rows.labels[some]
            if buffer is not None and len(buffer):
                batch = buffer.mix(table.take(pa.array(some)), RATIO)
                old = batch.filter(pa.compute.equal(batch["sage_origin"], "replay"))
                vectors, labels = _with(vectors, labels, old, domains)
            head.step(vectors, labels)
        if buffer is not None:
            # What the model makes of the rows once it has learnt them.
            losses = head.losses(rows.vectors, rows.labels)
            buffer.update(table, scores=losses, groups="domain", embeddings=rows.vectors)
        found += _tested(head, domains, name)
    joint = Head(width, domains.classes)
    every = Rows(*(_joined(parts) for parts in zip(*domains.train, strict=True)))
    for some in _batches(every, seed):
        joint.step(every.vectors[some], every.labels[some])
    found += _tested(joint, domains, "joint")
    for name, rows, test in zip(domains.names, domains.train, domains.test, strict=True):
        alone = Head(width, domains.classes)
        for some in _batches(rows, seed):
            alone.step(rows.vectors[some], rows.labels[some])
        found.append({"after": "alone", "task": name, "score": alone.accuracy(test)})
    return found


def _joined(parts: Any) -> Any:
    return pa.concat_arrays(parts) if isinstance(parts[0], pa.Array) else np.concatenate(parts)


def _tested(head: Head, domains: Domains, after: str) -> list[dict[str, Any]]:
    return [
        {"after": after, "task": name, "score": head.accuracy(rows)}
        for name, rows in zip(domains.names, domains.test, strict=True)
    ]


def _with(
    vectors: NDArray[np.float32], labels: NDArray[np.int64], old: pa.Table, domains: Domains
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return a batch with rows of earlier domains."""
    place = {name: number for number, name in enumerate(domains.names)}
    found = [(domains.train[place[one["domain"]]], one["row"]) for one in old.to_pylist()]
    if not found:
        return vectors, labels
    return (
        np.concatenate([vectors, np.stack([rows.vectors[row] for rows, row in found])]),
        np.concatenate([labels, np.array([rows.labels[row] for rows, row in found])]),
    )


def report(found: Mapping[tuple[str, int], list[ScoreMatrix]], began: str) -> str:
    """Return the record of a run."""
    lines = ["# Does replay help?", "", *(__doc__ or "").split("\n\n", 1)[1].strip().splitlines(), ""]
    seeds = len(next(iter(found.values())))
    lines += [f"Means over {seeds} seeds in points, with 95 % intervals (Student's). {began}", ""]
    lines += ["![Average accuracy so far](continual.svg)", ""]
    names = [one for one in METRICS if one.value(next(iter(found.values()))[0]) is not None]
    for capacity in sorted({size for _, size in found}):
        lines += [f"## A buffer of {capacity:,} rows", "", f"| | {' | '.join(one.name for one in names)} |"]
        lines += [f"|---|{'--:|' * len(names)}"]
        for arm in ARMS:
            values = [[one.value(matrix) or 0.0 for matrix in found[arm, capacity]] for one in names]
            lines.append(f"| {arm} | {' | '.join(str(estimate(one)) for one in values)} |")
        lines.append("")
    lines += ["| metric | formula | source |", "|---|---|---|"]
    lines += [f"| {one.name} ({one.better} is better) | `{one.formula}` | {one.source} |" for one in names]
    return "\n".join(lines) + "\n"


def _figure(found: Mapping[tuple[str, int], list[ScoreMatrix]], capacity: int) -> Any:
    """Return the figure: the mean accuracy on the domains so far, after each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for arm in ARMS:
        curves = [[row[: end + 1].mean() for end, row in enumerate(one.scores)] for one in found[arm, capacity]]
        axes.plot(range(1, 11), 100 * np.mean(curves, axis=0), marker="o", label=arm)
    axes.set(xlabel="domains trained", ylabel="accuracy on the domains so far, %", ylim=(0, 100))
    axes.set_title(f"CLINC150, a buffer of {capacity:,} rows, a quarter replayed")
    axes.legend()
    return figure


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(prog="python -m benches.continual", description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds")
    parser.add_argument("--capacities", type=int, nargs="+", default=[300], help="rows of the buffer")
    asked = parser.parse_args()
    began = machine()
    try:
        domains = read_domains()
    except MissingDataError as error:
        sys.stdout.write(f"Skipped: {error}\n")
        return
    found = {
        (arm, capacity): [ScoreMatrix.of(scores_of(domains, arm, capacity, seed)) for seed in range(asked.seeds)]
        for capacity in asked.capacities
        for arm in ARMS
    }
    whole = asked == parser.parse_args([])
    folder = ROOT / ("benches" if whole else ".benchmarks")
    folder.mkdir(exist_ok=True)
    (folder / "CONTINUAL.md").write_text(report(found, began), encoding="utf-8")
    _figure(found, min(asked.capacities)).savefig(folder / "continual.svg", metadata={"Date": None})
    sys.stdout.write(f"Recorded in {folder}/CONTINUAL.md\n")


if __name__ == "__main__":
    main()
