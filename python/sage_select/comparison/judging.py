"""What a comparison comes to: for each metric the value of each arm, how it differs from its control, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sage_select.comparison.arms import Arm
from sage_select.comparison.cells import Cell, MetricRows
from sage_select.comparison.evaluated import JudgedMetric
from sage_select.evaluate.statistics import Difference, Verdict, compare_rows, verdicts

__all__ = ["ArmFigures", "Judgement", "judge"]


@dataclass(frozen=True)
class ArmFigures:
    """One metric of one arm.

    Attributes
    ----------
    values
        Of each seed that did not fail and has a value: seed -> value.
    mean, spread
        Their mean and standard deviation; None where there are too few.
    difference, verdict
        From the control, over the seeds that both have; None where there is no control, or either has failed.
    why_none
        Why there is no difference, else None.
    """

    values: Mapping[int, float]
    mean: float | None
    spread: float | None
    difference: Difference | None
    verdict: Verdict | None
    why_none: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "values": {str(seed): value for seed, value in self.values.items()},
            "mean": self.mean,
            "spread": self.spread,
            "difference": None if self.difference is None else self.difference.as_dict(),
            "verdict": None if self.verdict is None else asdict(self.verdict),
            "why_none": self.why_none,
        }


@dataclass(frozen=True)
class Judgement:
    """One metric over all arms, and its value of the base model; None where it has none."""

    metric: JudgedMetric
    arms: Mapping[str, ArmFigures]
    base: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        about = {name: getattr(self.metric, name) for name in ("name", "evaluator", "definition", "over", "better")}
        return {**about, "base": self.base, "arms": {name: one.as_dict() for name, one in self.arms.items()}}


def judge(arms: Sequence[Arm], cells: Sequence[Cell], base: Cell, metric: JudgedMetric) -> Judgement:
    """Return what a metric says of all arms, corrected for their number (Holm).

    Parameters
    ----------
    arms
        All arms.
    cells
        Of each arm and seed.
    base
        Of the model before it is tuned.
    metric
        The metric.
    """
    rows: dict[str, dict[int, MetricRows]] = {arm.name: {} for arm in arms}
    for cell in cells:
        if cell.error is None and metric.name in cell.metrics:
            rows[cell.arm][cell.seed] = cell.metrics[metric.name]
    found: dict[str, Difference] = {}
    why: dict[str, str] = {}
    for arm in arms:
        if arm.control is None:
            continue
        seeds = sorted(rows[arm.name].keys() & rows[arm.control].keys())
        if not seeds:
            why[arm.name] = f"no seed has figures of both {arm.name} and {arm.control}"
            continue
        ours, theirs = _aligned([[rows[name][seed] for seed in seeds] for name in (arm.name, arm.control)])
        rate = metric.is_rate and bool((np.concatenate([ours, theirs])[..., 1] == ours[0, :, 1]).all())
        found[arm.name] = compare_rows(metric.values, ours, theirs, counted=metric.counted, rate=rate)
    said = verdicts(found, metric.better)
    return Judgement(
        metric,
        {
            arm.name: _figures(rows[arm.name], metric, found.get(arm.name), said.get(arm.name), why.get(arm.name))
            for arm in arms
        },
        _value(base.metrics.get(metric.name), metric),
    )


def _value(rows: MetricRows | None, metric: JudgedMetric) -> float | None:
    value = float("nan") if rows is None else float(metric.values(rows.sums.sum(axis=0)))
    return None if np.isnan(value) else value


def _aligned(both: Sequence[Sequence[MetricRows]]) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    """Return the sums of two arms, float64 (seeds, rows, parts) each, over the rows of any; 0 where one has none."""
    names = {row: None for several in both for one in several for row in one.row_ids}
    places = {row: place for place, row in enumerate(names)}
    found = []
    for several in both:
        sums = np.zeros((len(several), len(places), several[0].sums.shape[1]))
        for number, one in enumerate(several):
            sums[number, [places[row] for row in one.row_ids]] = one.sums
        found.append(sums)
    return found


def _figures(
    rows: Mapping[int, MetricRows],
    metric: JudgedMetric,
    one: Difference | None,
    verdict: Verdict | None,
    why: str | None,
) -> ArmFigures:
    found = {seed: _value(of, metric) for seed, of in sorted(rows.items())}
    values = {seed: value for seed, value in found.items() if value is not None}
    each = list(values.values())
    return ArmFigures(
        values=values,
        mean=float(np.mean(each)) if each else None,
        spread=float(np.std(each, ddof=1)) if len(each) > 1 else None,
        difference=one,
        verdict=verdict,
        why_none=why,
    )
