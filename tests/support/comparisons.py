"""Comparisons that nobody trained: planted cells, and the folders that their runs would have left."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sage_select.comparison import Comparison
from sage_select.comparison.arms import Arm
from sage_select.comparison.cells import Cell, MetricRows
from sage_select.comparison.evaluated import JudgedMetric
from sage_select.comparison.folder import ComparisonFolder
from sage_select.comparison.judging import judge
from sage_select.evaluate.metrics import EXACT_ANSWER
from sage_select.methods import MethodSpec

__all__ = ["METRIC", "cells_of", "planted"]

METRIC = JudgedMetric.of("exact_answer", EXACT_ANSWER)
#: As one, but of another evaluator, and lower is better.
LOSS = replace(METRIC, evaluator="loss", name="loss", better="lower", is_rate=False, definition="Mean loss.")


def cells_of(chances: Mapping[str, float], seeds: int, rows: int, seed: int = 0, noise: float = 0.0) -> list[Cell]:
    """Return cells of arms that are right with a chance on rows of different hardness; seeds move an arm."""
    rng = np.random.default_rng(seed)
    hardness = rng.normal(0, 1, rows)
    found = []
    for name, shift in chances.items():
        for number in range(seeds):
            chance = 1 / (1 + np.exp(-(hardness + shift + rng.normal(0, noise))))
            right = (rng.random(rows) < chance).astype(float)
            sums = np.stack([right, np.ones(rows)], axis=1)
            ids = tuple(map(str, range(rows)))
            found.append(Cell(name, number, metrics={METRIC.name: MetricRows(ids, sums)}))
    return found


def planted(
    folder: Path,
    chances: Mapping[str, float],
    *,
    seeds: int = 3,
    rows: int = 300,
    steps: int = 60,
    failing: Sequence[tuple[str, int]] = (),
    teachers: Mapping[str, str] | None = None,
    error: str = "the loss is no number",
) -> Comparison:
    """Return a comparison of a control and arms that are right with a chance, with the steps of their runs.

    Parameters
    ----------
    folder
        Where the runs lie.
    chances
        Arm -> how much more often than by half it is right; the first is the control.
    seeds, rows, steps
        How many.
    failing
        (arm, seed) of what failed, with this `error`.
    teachers
        Arm -> the arm that teaches it.
    """
    control, *others = chances
    teachers = teachers or {}
    arms = [Arm(control, MethodSpec(control, "as many rows, drawn at random", control="none"), None)]
    for name in others:
        method = MethodSpec(name, f"{name} as a method", teacher=teachers.get(name))
        arms.append(Arm(name, method, control, teachers.get(name)))
    rng = np.random.default_rng(7)
    cells = []
    for cell in cells_of(chances, seeds, rows, noise=0.2):
        if (cell.arm, cell.seed) in failing:
            cells.append(Cell(cell.arm, cell.seed, error=error))
            continue
        place = list(chances).index(cell.arm)
        own = steps - 2 * cell.seed
        _note_steps(ComparisonFolder(folder).cell(cell.arm, cell.seed), own, rng)
        metrics = {METRIC.name: cell.metrics[METRIC.name], LOSS.name: _as_loss(cell.metrics[METRIC.name])}
        cells.append(
            replace(
                cell,
                metrics=metrics,
                rows=80 + 100 * place,
                tokens=60_000 + 500 * place - 300 * cell.seed,
                steps=own,
                select_seconds=0.5,
                train_seconds=30.0 + place,
                memory_bytes=10**9 * (1 + place),
            )
        )
    base = cells_of({"base model": -2.0}, 1, rows)[0]
    base = replace(
        base, metrics={METRIC.name: base.metrics[METRIC.name], LOSS.name: _as_loss(base.metrics[METRIC.name])}
    )
    return Comparison(
        folder=folder,
        arms=arms,
        cells=cells,
        judgements=[judge(arms, cells, base, metric) for metric in (METRIC, LOSS)],
        seeds=range(seeds),
        tokens=60_000,
        rows=rows,
        about={
            "model": "/models/tiny",
            "held_out": "/data/heldout.jsonl",
            "pool": [{"source": {"path": "rows.jsonl"}}],
        },
        notices=[],
    )


def _as_loss(rows: MetricRows) -> MetricRows:
    sums = rows.sums.copy()
    sums[:, 0] = 2.5 - sums[:, 0]
    return MetricRows(rows.row_ids, sums)


def _note_steps(folder: Path, steps: int, rng: np.random.Generator) -> None:
    """Write what a run notes of its steps."""
    logs = folder / "run" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / "consumed.jsonl").open("w", encoding="utf-8") as lines:
        for step in range(1, steps + 1):
            losses = (0.8 + 2 * np.exp(-step / 20) + rng.normal(0, 0.2, 4)).round(4).tolist()
            one = {"step": step, "rows": list("abcd"), "losses": losses, "tokens": [50, 60, 40, 30]}
            lines.write(json.dumps(one) + "\n")
