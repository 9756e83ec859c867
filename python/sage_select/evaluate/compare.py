"""The tuned model beside the base model on the same rows, with an interval for the difference."""

from __future__ import annotations

from typing import Any

import numpy as np

from sage_select.errors import UsageError
from sage_select.evaluate.result import Evaluation
from sage_select.seeds import stage_key

__all__ = ["compare"]

_RESAMPLES = 10_000
_CHUNK = 200

Floats = np.ndarray[Any, np.dtype[np.float64]]


def compare(base: Evaluation, tuned: Evaluation, *, seed: int = 0) -> dict[str, Any]:
    """Compare two evaluations of the same rows.

    The intervals are paired percentile bootstraps over rows (Efron 1979), 10,000 resamples: the same rows are drawn
    for both models, so what makes a row hard for both cancels.

    Parameters
    ----------
    base, tuned
        Evaluations of one set of rows under two models.
    seed
        Seeds the resampling.

    Returns
    -------
    dict
        `rows` measured, `rows_dropped` without an answer to measure, `rows_truncated` to fit the model,
        `rows_with_answer` (with a turn to predict) and `tokens`; `loss_base`, `loss_tuned` (nats per trained
        token), `accuracy_base`, `accuracy_tuned` (tool selection, null where no row has a turn to predict);
        `loss_difference` and `accuracy_difference` (tuned - base), each with a 95 % `..._interval` [low, high];
        `parse_failures_base`, `parse_failures_tuned`: generated turns with a call that cannot be read.

    Raises
    ------
    UsageError
        If the evaluations are of different rows.
    """
    if base.row_ids != tuned.row_ids or base.row_tokens != tuned.row_tokens:
        raise UsageError("the two evaluations are of different rows")
    generator = np.random.Generator(np.random.Philox(stage_key(seed, "bootstrap")))
    result: dict[str, Any] = {
        "rows": base.rows,
        "rows_dropped": len(base.dropped),
        "rows_truncated": base.truncated_rows,
        "rows_with_answer": base.rows_with_answer,
        "tokens": base.tokens,
        "loss_base": base.loss,
        "loss_tuned": tuned.loss,
        "loss_difference": tuned.loss - base.loss,
        "loss_interval": _interval(
            generator,
            np.array(tuned.row_losses) - np.array(base.row_losses),
            np.array(base.row_tokens, dtype=np.float64),
        ),
        "accuracy_base": base.accuracy,
        "accuracy_tuned": tuned.accuracy,
        "accuracy_difference": None,
        "accuracy_interval": None,
        "parse_failures_base": base.parse_failures,
        "parse_failures_tuned": tuned.parse_failures,
    }
    if base.accuracy is not None and tuned.accuracy is not None:
        change = np.array(tuned.correct, dtype=np.float64) - np.array(base.correct, dtype=np.float64)
        result["accuracy_difference"] = tuned.accuracy - base.accuracy
        result["accuracy_interval"] = _interval(generator, change, np.ones(len(change)))
    return result


def _interval(generator: np.random.Generator, totals: Floats, sizes: Floats) -> list[float]:
    """Return the 2.5 % and 97.5 % points of sum(totals) / sum(sizes) over resampled rows."""
    rows = len(totals)
    ratios = []
    for _ in range(0, _RESAMPLES, _CHUNK):
        counts = generator.multinomial(rows, np.full(rows, 1 / rows), size=_CHUNK)
        ratios.append((counts @ totals) / (counts @ sizes))
    low, high = np.quantile(np.concatenate(ratios), [0.025, 0.975])
    return [float(low), float(high)]
