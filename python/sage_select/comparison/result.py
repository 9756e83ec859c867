"""A comparison: every figure, what it cost, and a verdict for each arm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import pyarrow as pa

from sage_select.comparison.arms import Arm
from sage_select.comparison.cells import Cell
from sage_select.comparison.judging import ArmFigures, Judgement

__all__ = ["Comparison", "Took", "Word"]

Word: TypeAlias = Literal["better", "worse", "not distinguishable", "failed", "control", "no verdict"]


class Took(NamedTuple):
    """What an arm took, means over the seeds that did not fail; None of what is not known.

    `memory_bytes` is the most that any of them took.
    """

    rows: float | None
    tokens: float | None
    steps: float | None
    select_seconds: float | None
    train_seconds: float | None
    evaluate_seconds: float | None
    memory_bytes: int | None


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes
    ----------
    folder
        Where all of it lies.
    arms, cells
        What was compared, and what became of each arm under each seed.
    judgements
        By metric; verdicts are those of the first.
    seeds, tokens
        Seeds of every arm, and the tokens that each consumed, to half a step.
    rows
        Rows that every adapter was evaluated on.
    about
        The model, the pool and the held-out rows, by name.
    notices
        What the user should know.
    """

    folder: Path
    arms: Sequence[Arm]
    cells: Sequence[Cell]
    judgements: Sequence[Judgement]
    seeds: Sequence[int]
    tokens: int
    rows: int
    about: Mapping[str, Any]
    notices: Sequence[str]

    @property
    def failed(self) -> list[Cell]:
        """What has no figures."""
        return [cell for cell in self.cells if cell.error is not None]

    def word(self, arm: Arm) -> Word:
        """Return what can be said of an arm, in a word or two."""
        figures = self.judgements[0].arms[arm.name]
        if not figures.values:
            return "failed"
        if arm.control is None:
            return "control"
        return "no verdict" if figures.verdict is None else figures.verdict.word

    def verdict(self, arm: Arm) -> str:
        """Return what can be said of an arm, in a line."""
        figures, word = self.judgements[0].arms[arm.name], self.word(arm)
        if word == "control":
            return "what others are compared with"
        if figures.verdict is None:
            return word if word == "failed" else f"{word}: {figures.why_none}"
        joined = f"{word} {'from' if word.startswith('not') else 'than'} {arm.control}"
        return f"{joined} ({figures.verdict.why}{', one seed' if len(self.seeds) == 1 else ''})"

    def first_metrics(self) -> list[Judgement]:
        """Return of each evaluator the metric that it judges by, that of the verdicts first."""
        return list({one.metric.evaluator: one for one in reversed(self.judgements)}.values())[::-1]

    def took(self, arm: str) -> Took | None:
        """Return what an arm took; None where it failed under every seed."""
        done = [cell for cell in self.cells if cell.arm == arm and cell.error is None]
        if not done:
            return None
        memory = [cell.memory_bytes for cell in done if cell.memory_bytes is not None]
        means = {name: _mean([getattr(cell, name) for cell in done]) for name in Took._fields[:-1]}
        return Took(**means, memory_bytes=max(memory, default=None))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "output_dir": str(self.folder),
            **self.about,
            "tokens": self.tokens,
            "seeds": list(self.seeds),
            "rows_evaluated": self.rows,
            "arms": [
                {
                    "name": arm.name,
                    "control": arm.control,
                    "teacher": arm.teacher,
                    "verdict": self.verdict(arm),
                    "method": arm.method.as_dict(),
                }
                for arm in self.arms
            ],
            "metrics": [one.as_dict() for one in self.judgements],
            "cells": [cell.facts() for cell in self.cells],
        }

    def table(self) -> pa.Table:
        """Return a row for each arm, seed and metric: `value` null where it failed, with the `error`."""
        rows = [
            {
                "arm": cell.arm,
                "seed": cell.seed,
                "metric": judgement.metric.name,
                "value": judgement.arms[cell.arm].values.get(cell.seed),
                "control": next(arm.control for arm in self.arms if arm.name == cell.arm),
                **{name: value for name, value in cell.facts().items() if name not in ("arm", "seed", "evaluated")},
            }
            for cell in self.cells
            for judgement in self.judgements
        ]
        return pa.Table.from_pylist(rows, _SCHEMA)

    def lines(self) -> Iterator[tuple[str, ArmFigures, str]]:
        """Yield of each arm its name, its figures by the first metric, and its verdict."""
        for arm in self.arms:
            yield arm.name, self.judgements[0].arms[arm.name], self.verdict(arm)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


_SCHEMA = pa.schema(
    [
        ("arm", pa.string()),
        ("seed", pa.int64()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("control", pa.string()),
        ("error", pa.string()),
        ("adapter_digest", pa.string()),
        ("rows", pa.int64()),
        ("tokens", pa.int64()),
        ("steps", pa.int64()),
        ("select_seconds", pa.float64()),
        ("train_seconds", pa.float64()),
        ("evaluate_seconds", pa.float64()),
        ("memory_bytes", pa.int64()),
    ]
)
