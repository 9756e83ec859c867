"""Answers: the number at the end of a worked solution, and labels."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import numpy as np

from sage_select.evaluate.metrics.metric import Floats, Metric
from sage_select.evaluate.metrics.record import AnswerRecord

__all__ = ["EXACT_ANSWER", "MARKER", "final_number", "label_metrics", "labels_of"]

#: What the answer of a worked solution stands behind, as gsm8k writes it.
MARKER: Final = "####"
_NUMBER: Final = re.compile(
    r"""(?P<sign>(?<![\w.)])[-+\u2212])?  # a minus between two numbers is none of a number
    (?:\\?[$\u20ac\u00a3\u00a5\u20b9][ ]?(?P<late>[-\u2212])?)?
    (?P<digits>\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<!\d)\.\d+)""",
    re.VERBOSE,
)


def final_number(text: str, *, marked: bool = False) -> Decimal | None:
    r"""Return the last number behind the last marker of a text; where it has none, the last number of all.

    A number may have a sign, a currency before it, commas between thousands, decimals, and a full stop after it.

    Parameters
    ----------
    text
        A worked solution.
    marked
        Whether there has to be a marker.

    Examples
    --------
    >>> final_number("2 x 21 = 42\n#### 1,042.50"), final_number("It is -$7."), final_number("none")
    (Decimal('1042.50'), Decimal('-7'), None)
    """
    _, found, behind = text.rpartition(MARKER)
    if marked and not found:
        return None
    last = next(iter(deque(_NUMBER.finditer(behind), maxlen=1)), None)
    if last is None:
        return None
    number = Decimal(last["digits"].replace(",", ""))
    minus = (last["sign"] or last["late"] or "+") != "+"
    return number.copy_negate() if minus else number  # a minus would round to the digits of the context


def _said(record: AnswerRecord) -> Decimal | None:
    """Return the number of a prediction; the last number of one that is cut off may be anything."""
    return final_number(record.predicted, marked=record.at_limit)


#: Exact answers of worked solutions.
EXACT_ANSWER: Final[Metric[AnswerRecord]] = Metric(
    name="exact_answer",
    group="answers",
    definition=f"Share in which the last number behind the last {MARKER} of the prediction equals that of the row; of "
    "a prediction without it the last number counts, of one that is cut off before it none.",
    over=f"rows whose answer has a number behind {MARKER}",
    among=lambda one: final_number(one.expected, marked=True) is not None,
    contribution=lambda one: (_said(one) == final_number(one.expected, marked=True), 1),
    parts=("right", "answers"),
    needs={"answers": f"no answer has a number behind {MARKER}"},
)


def labels_of(records: Iterable[AnswerRecord]) -> tuple[str, ...]:
    """Return the labels that are expected, sorted."""
    return tuple(sorted({one.expected for one in records}))


def label_metrics(labels: Sequence[str]) -> tuple[Metric[AnswerRecord], ...]:
    """Return the metrics of classification.

    Parameters
    ----------
    labels
        The labels that are expected (`labels_of`); a prediction may be another.
    """
    places = {label: place for place, label in enumerate(labels)}

    def one_of(label: str) -> list[float]:
        found = [0.0] * len(labels)
        found[places[label]] = 1.0
        return found

    def by_class(record: AnswerRecord) -> list[float]:
        there = one_of(record.expected)
        return [*there, *([0.0] * len(labels) if record.expected != record.predicted else there), 1.0]

    count = len(labels)

    def most_frequent(sums: Floats) -> float | str:
        return float(sums[2:].max() / sums[1]) if count > 1 else "one label alone is expected"

    def mean_recall(sums: Floats) -> Floats:
        return np.asarray((sums[..., count : 2 * count] / sums[..., :count]).mean(axis=-1))

    return (
        Metric(
            name="label_accuracy",
            group="classification",
            definition="Share in which just the expected label is predicted.",
            over="rows",
            among=lambda one: one.expected in places,
            contribution=lambda one: (one.expected == one.predicted, 1, *one_of(one.expected)),
            parts=("right", "answers", *(f"of {label}" for label in labels)),
            needs={"answers": "no row has a label"},
            baseline=most_frequent,
        ),
        Metric(
            name="label_macro_recall",
            group="classification",
            definition="Mean over the expected labels of the share of its rows that are predicted as such.",
            over="rows",
            among=lambda one: one.expected in places,
            contribution=by_class,
            parts=(*(f"of {label}" for label in labels), *(f"right of {label}" for label in labels), "answers"),
            needs={"answers": "no row has a label"} | {f"of {label}": f"no row of {label}" for label in labels},
            value=mean_recall,
            baseline=lambda _: 1 / count,
            counted=("answers",),
        ),
    )
