"""A metric is a declared value: its definition, the records it is over, and sums whose function it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from sage_select.evaluate.statistics.intervals import Interval, ratio, unit_interval

__all__ = ["Figure", "Floats", "Judged", "Metric", "R", "RowSums", "figure", "row_sums"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


class Judged(Protocol):
    """What every record has: the row and the message that it belongs to."""

    @property
    def row_id(self) -> str:
        """Id of the row."""

    @property
    def message(self) -> int:
        """Number of the message in the row."""


R = TypeVar("R", bound=Judged)


@dataclass(frozen=True)
class Metric(Generic[R]):
    """A metric over records of one kind, with values from 0 to 1.

    Parameters
    ----------
    name
        What it is called, in results and in tables.
    group
        What it says something about.
    definition
        What it is, in one sentence that is printed.
    over
        The records that it is taken over, in words.
    among
        Whether a record is one of them.
    contribution
        What a record adds to the sums, one number a part.
    parts
        What the sums are sums of.
    needs
        Part -> why there is no value where its sum is 0. Of each of them there must be ten rows for an interval.
    value
        Sums (..., parts) -> values (...); the first over the second, where nothing else is said. Called with sums of
        which none that is needed is 0.
    baseline
        Sums (parts,) -> what whoever always says what is most frequent would have, or why there is no such value; None
        for metrics that such an answer has no meaning for.
    better
        Whether a `higher` or a `lower` value is better.
    counted
        Parts of which there must be ten rows for an interval, where they are others than those of `needs`.
    """

    name: str
    group: str
    definition: str
    over: str
    among: Callable[[R], bool]
    contribution: Callable[[R], Sequence[float]]
    parts: tuple[str, ...]
    needs: Mapping[str, str]
    value: Callable[[Floats], Floats] = ratio
    baseline: Callable[[Floats], float | str] | None = None
    better: str = "higher"
    counted: tuple[str, ...] = ()
    places: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", tuple(self.parts.index(part) for part in self.needs))

    @property
    def is_rate(self) -> bool:
        """True where the value is the first part over the second."""
        return self.value is ratio

    def values(self, sums: Floats) -> Floats:
        """Return the value of each vector of sums (..., parts), NaN where one that is needed is 0."""
        there = np.all(sums[..., list(self.places)] > 0, axis=-1)
        found = np.full(sums.shape[:-1], np.nan)
        found[there] = self.value(sums[there])
        return found

    def why_none(self, sums: Floats) -> str | None:
        """Return why sums (parts,) have no value, None where they have one."""
        return next((why for part, why in self.needs.items() if not sums[self.parts.index(part)] > 0), None)


@dataclass(frozen=True)
class RowSums:
    """What the records of each row add to the sums of a metric.

    Parameters
    ----------
    row_ids
        The rows that have a record the metric is over, sorted.
    sums
        float64 (rows, parts).
    records
        Of how many records.
    """

    row_ids: tuple[str, ...]
    sums: Floats
    records: int


@dataclass(frozen=True)
class Figure:
    """A value with how sure it is, or why there is none.

    Parameters
    ----------
    value
        None where it would mean nothing.
    why_none
        Why, else None.
    interval
        95 % interval over rows, or why there is none.
    rows, records
        How many rows and records it rests on.
    baseline
        The value of whoever always says what is most frequent; None where there is none.
    baseline_none
        Why, where the metric has baselines, else None.
    """

    value: float | None
    why_none: str | None
    interval: Interval
    rows: int
    records: int
    baseline: float | None = None
    baseline_none: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the parts as JSON values, without those that say nothing."""
        parts = {
            "value": self.value,
            "why_none": self.why_none,
            "interval": None if self.interval.bounds is None else list(self.interval.bounds),
            "interval_none": self.interval.why_none,
            "rows": self.rows,
            "records": self.records,
            "baseline": self.baseline,
            "baseline_none": self.baseline_none,
        }
        return {name: part for name, part in parts.items() if part is not None or name == "value"}


def row_sums(metric: Metric[R], records: Sequence[R]) -> RowSums:
    """Return the sums of each row that has a record the metric is over, the same bits in whatever order they come."""
    rows: dict[str, list[Sequence[float]]] = {}
    for one in records:
        if metric.among(one):
            rows.setdefault(one.row_id, []).append(metric.contribution(one))
    names = sorted(rows)
    sums = [[math.fsum(part) for part in zip(*rows[name], strict=True)] for name in names]
    return RowSums(
        tuple(names),
        np.array(sums, np.float64).reshape(len(names), len(metric.parts)),
        sum(map(len, rows.values())),
    )


def figure(metric: Metric[R], records: Sequence[R]) -> Figure:
    """Return the value of a metric for the records, with its interval.

    Parameters
    ----------
    metric
        The metric.
    records
        All records there are; the metric is taken over those it is `among`.

    Notes
    -----
    Rows are the units, as the turns of a row are not independent: see `statistics.intervals.unit_interval`.
    """
    found = row_sums(metric, records)
    totals = found.sums.sum(axis=0)
    why = metric.why_none(totals)
    if why is not None:
        return Figure(None, why, Interval(None, "there is no value"), len(found.row_ids), found.records)
    base = None if metric.baseline is None else metric.baseline(totals)
    return Figure(
        value=float(metric.values(totals)),
        why_none=None,
        interval=unit_interval(
            metric.values, found.sums, [metric.parts.index(one) for one in metric.counted or metric.needs]
        ),
        rows=len(found.row_ids),
        records=found.records,
        baseline=base if isinstance(base, float) else None,
        baseline_none=base if isinstance(base, str) else None,
    )
