"""A model on held-out rows: what each evaluator asks, and the loss and the calls among the answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sage_select.evaluate.asked_model import AskedModel, stop_tokens
from sage_select.evaluate.evaluator import Measured
from sage_select.evaluate.held_out import HeldOut
from sage_select.evaluate.result import Evaluation, Prediction
from sage_select.render.truncate import context_length
from sage_select.train.stages import Stages

__all__ = ["measure", "stop_tokens"]


def measure(
    model: Any,
    held_out: HeldOut,
    *,
    batch_tokens: int,
    stages: Stages,
    name: str,
) -> Evaluation:
    """Measure a loaded model.

    Parameters
    ----------
    model
        A causal language model, perhaps with an adapter.
    held_out
        What it is measured on.
    batch_tokens
        Tokens in one forward pass, with padding. Changes the time, not the result beyond rounding.
    stages, name
        Told about the parts of the work on the model called `name`.
    """
    context = context_length(model.config, held_out.tokenizer)
    asked = AskedModel(model, held_out.tokenizer, batch_tokens=batch_tokens, context=context)
    measured = tuple(one.measure(asked, stages, name) for one in held_out.asked)
    losses = _of(measured, "loss")
    return Evaluation(
        held_out,
        tuple(one.loss for one in losses),
        tuple(one.tokens for one in losses),
        tuple(_predictions(_of(measured, "tool_calls"))),
        measured,
    )


def _of(measured: tuple[Measured, ...], evaluator: str) -> tuple[Any, ...]:
    """Return the records of an evaluator, none where it does not ask."""
    return next((one.records for one in measured if one.evaluator == evaluator), ())


def _predictions(records: tuple[Any, ...]) -> Iterator[Prediction]:
    for one in records:
        yield Prediction(
            row_id=one.row_id,
            message=one.message,
            expected=tuple(sorted(one.expected_names)),
            predicted=tuple(sorted(one.predicted_names)),
            failures=one.failures,
            at_limit=one.at_limit,
            text=one.text,
        )
