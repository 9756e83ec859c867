"""Figures of what was measured, and differences between two models on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sage_select.errors import UsageError
from sage_select.evaluate.metrics import Figure, Metric, RowSums, figure, row_sums
from sage_select.evaluate.metrics.difference import difference
from sage_select.evaluate.statistics.paired import Difference

if TYPE_CHECKING:
    from sage_select.evaluate.evaluator import Measured

__all__ = ["AnyMetric", "OwnMetric", "difference_of", "figure_of", "figures_of", "sums_of"]


class OwnMetric(Protocol):
    """A metric that computes its values itself, such as one that is no share: it has the words of a `Metric`."""

    @property
    def name(self) -> str:
        """What it is called, in results and in tables."""

    @property
    def group(self) -> str:
        """What it says something about."""

    @property
    def definition(self) -> str:
        """What it is, in one sentence."""

    @property
    def over(self) -> str:
        """What it is taken over, in words."""

    @property
    def better(self) -> str:
        """Whether a `higher` or a `lower` value is better."""

    def figure(self, records: Sequence[Any]) -> Figure:
        """Return the value for records."""

    def sums(self, records: Sequence[Any]) -> RowSums:
        """Return what the records of each row add to the sums (rows, 2) whose function the value is."""

    def values(self, sums: Any) -> Any:
        """Return the values of sums (..., parts), NaN where there is none."""

    def difference(self, arm: Sequence[Sequence[Any]], control: Sequence[Sequence[Any]]) -> Difference:
        """Return how far the value for the records of one model is from that of another on the same rows.

        Each is a list of the records of its seeds, as `metrics.difference` takes them.
        """


AnyMetric: TypeAlias = Metric[Any] | OwnMetric


def figure_of(metric: AnyMetric, records: Sequence[Any]) -> Figure:
    """Return the value of a metric for records."""
    return figure(metric, records) if isinstance(metric, Metric) else metric.figure(records)


def sums_of(metric: AnyMetric, records: Sequence[Any]) -> RowSums:
    """Return what the records of each row add to the sums whose function a metric is."""
    return row_sums(metric, records) if isinstance(metric, Metric) else metric.sums(records)


def difference_of(metric: AnyMetric, arm: Sequence[Sequence[Any]], control: Sequence[Sequence[Any]]) -> Difference:
    """Return how far a model is from another by a metric, as `metrics.difference` does, for metrics of both kinds.

    Parameters
    ----------
    metric
        The metric.
    arm, control
        Of each the records of each of its seeds, one at least; all of the same questions.
    """
    return difference(metric, arm, control) if isinstance(metric, Metric) else metric.difference(arm, control)


def figures_of(measured: Measured, beside: Measured | None = None) -> list[dict[str, Any]]:
    """Return the figures of an evaluator as JSON values: of each metric its words, and its values.

    Parameters
    ----------
    measured
        Of a model: `base` in the result where it stands alone, else `tuned`.
    beside
        Of its base on the same rows.

    Raises
    ------
    UsageError
        If the two are of different questions.
    """
    if beside is not None and [one.row_id for one in measured.records] != [one.row_id for one in beside.records]:
        raise UsageError("the two evaluations are of different rows")
    return [_told(metric, measured.records, None if beside is None else beside.records) for metric in measured.metrics]


def _told(metric: AnyMetric, records: Sequence[Any], beside: Sequence[Any] | None) -> dict[str, Any]:
    words = {name: getattr(metric, name) for name in ("name", "group", "definition", "over", "better")}
    if beside is None:
        return {**words, "base": figure_of(metric, records).as_dict()}
    apart = difference_of(metric, [records], [beside])
    bounds = apart.interval.bounds
    told = {
        "value": apart.value,
        "why_none": apart.why_none,
        "interval": None if bounds is None else list(bounds),
        "interval_none": apart.interval.why_none,
        "p_value": apart.p_value,
        "test": apart.test,
    }
    return {
        **words,
        "base": figure_of(metric, beside).as_dict(),
        "tuned": figure_of(metric, records).as_dict(),
        "difference": {name: one for name, one in told.items() if one is not None or name == "value"},
    }
