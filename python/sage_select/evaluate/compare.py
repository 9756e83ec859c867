"""The tuned model beside the base model on the same rows, with intervals for the differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sage_select.errors import UsageError
from sage_select.evaluate.result import Evaluation, Prediction
from sage_select.evaluate.statistics.intervals import Interval, loss_interval, rate_interval

__all__ = ["compare"]


def compare(base: Evaluation, tuned: Evaluation) -> dict[str, Any]:
    """Compare two evaluations of the same rows.

    Parameters
    ----------
    base, tuned
        Evaluations of one set of rows under two models.

    Returns
    -------
    dict
        `rows` measured, `rows_dropped` without an answer to measure, `rows_truncated` to fit the model, and `tokens`.
        `loss_base`, `loss_tuned` (nats per trained token), `accuracy_base`, `accuracy_tuned` (the share of turns that
        call tools in which exactly the row's tools are called), `false_calls_base`, `false_calls_tuned` (the share of
        turns that call none in which one is called); each with `..._difference` (tuned - base), `..._interval`
        (95 %, [low, high] or null) and `..._interval_none` (why it is null). Where there is no figure of tools they
        are null and `no_tool_figure` says why. `turns_calling`, `turns_other`: turns of each kind in the rows;
        `turns_calling_judged`, `turns_other_judged`: those generated; `turns_left_out`: why others were not;
        `turns_history_cut`: those generated from a part of a history that is too long.
        `parse_failures_...`: generated turns with a call that cannot be read; `turns_at_limit_...`: those cut off
        at `max_new_tokens`. `reader`: what the calls were read with. `turns`: each generated turn (`row_id`,
        `message`, `expected`, and of each model `predicted`, `failures`, `at_limit`, `text`).

    Raises
    ------
    UsageError
        If the evaluations are of different rows.

    Notes
    -----
    Differences are paired by row, so that what makes a row hard for both cancels; see `statistics.intervals`.
    """
    held_out = base.held_out
    if held_out.row_ids != tuned.held_out.row_ids or base.row_tokens != tuned.row_tokens:
        raise UsageError("the two evaluations are of different rows")
    losses = np.array(tuned.row_losses) - np.array(base.row_losses)
    return {
        "rows": base.rows,
        "rows_dropped": len(held_out.dropped),
        "rows_truncated": len(
            {row for row, one in zip(held_out.owners, held_out.examples, strict=True) if one.cut > 0}
        ),
        "tokens": base.tokens,
        **_figure("loss", base.loss, tuned.loss, loss_interval(losses, np.array(base.row_tokens, dtype=np.float64))),
        **_rate("accuracy", base.calling, tuned.calling, lambda one: one.correct),
        **_rate("false_calls", base.other, tuned.other, lambda one: not one.correct),
        "no_tool_figure": held_out.tools.no_figure,
        "turns_calling": held_out.tools.calling,
        "turns_calling_judged": len(base.calling),
        "turns_other": held_out.tools.other,
        "turns_other_judged": len(base.other),
        "turns_left_out": dict(held_out.tools.left_out),
        "turns_history_cut": held_out.tools.history_cut,
        "parse_failures_base": base.parse_failures,
        "parse_failures_tuned": tuned.parse_failures,
        "turns_at_limit_base": base.at_limit,
        "turns_at_limit_tuned": tuned.at_limit,
        "max_new_tokens": held_out.max_new_tokens,
        "reader": held_out.reader.name,
        "turns": [_turn(*pair) for pair in zip(base.predictions, tuned.predictions, strict=True)],
    }


def _figure(name: str, base: float | None, tuned: float | None, interval: Interval) -> dict[str, Any]:
    return {
        f"{name}_base": base,
        f"{name}_tuned": tuned,
        f"{name}_difference": None if base is None or tuned is None else tuned - base,
        f"{name}_interval": None if interval.bounds is None else list(interval.bounds),
        f"{name}_interval_none": interval.why_none,
    }


def _rate(
    name: str, base: tuple[Prediction, ...], tuned: tuple[Prediction, ...], hit: Callable[[Prediction], bool]
) -> dict[str, Any]:
    if not base:
        return _figure(name, None, None, Interval(None, "no such turn is judged"))
    rows = np.unique([one.row_id for one in base], return_inverse=True)[1]
    changes = [float(hit(after)) - float(hit(before)) for before, after in zip(base, tuned, strict=True)]
    interval = rate_interval(
        *(np.bincount(rows, weights=values).astype(np.float64) for values in (changes, [1.0] * len(base)))
    )
    return _figure(
        name, float(np.mean([hit(one) for one in base])), float(np.mean([hit(one) for one in tuned])), interval
    )


def _turn(base: Prediction, tuned: Prediction) -> dict[str, Any]:
    def said(one: Prediction) -> dict[str, Any]:
        return {
            "predicted": list(one.predicted),
            "failures": one.failures,
            "at_limit": one.at_limit,
            "text": one.text,
        }

    return {
        "row_id": base.row_id,
        "message": base.message,
        "expected": list(base.expected),
        "base": said(base),
        "tuned": said(tuned),
    }
